// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "wattwise/result.h"
#include "wattwise/types.h"
#include "wattwise/units.h"

namespace wattwise::device {

/// A coefficient from a device file: value, 95 % interval, and where it was published.
struct Coefficient {
  double value = 0;
  double low = 0;
  double high = 0;
  std::string source;
};

/// A device file, typed. Units are in the names.
struct DeviceProfile {
  std::string id;
  std::string description;
  Coefficient idle_power_mw;    ///< of the whole device, awake and doing nothing
  Coefficient active_power_mw;  ///< added while an inference computes; memory traffic included
  Coefficient float_macs_per_second;
  Coefficient int8_macs_per_second;
  Coefficient memory_bytes_per_second;
  Coefficient node_overhead_us;            ///< dispatch of one node
  Coefficient thermal_resistance_k_per_w;  ///< from the whole device's power to `hottest_zone`
  std::string hottest_zone;                ///< the zone that meets its limit first
  std::optional<double> battery_wh;
  std::string battery_source;
  /// Channels that the CPU provider's blocked convolution layout holds side by side; 0 without one.
  int64_t channel_block = 0;
  Json zones;  ///< thermal zones: name -> warning and critical temperature, with source
};

/// Reads and checks one device file. kCorrupt names the key.
Result<DeviceProfile> parse_device_profile(const std::string& id, const Json& file);

/// What a node costs, as far as the estimator needs to know; made from model::NodeCost by the
/// caller, so that this module stays below model.
struct WorkItem {
  double macs = 0;
  double weight_bytes = 0;
  double activation_bytes = 0;
  bool integer_compute = false;
};

struct Workload {
  std::vector<WorkItem> items;
  double peak_memory_bytes = 0;
  double request_rate_qps = 1;
};

/// Latency, energy, power and battery impact of the workload on the device at its request rate, one
/// inference after the other:
///   latency = sum over nodes of max(macs / rate, bytes / bandwidth) + overhead
///   energy per inference = active power x latency
///   power = idle power + energy per inference x min(request rate, 1 / latency)
///   battery impact [%/h] = power [W] / battery [Wh] x 100
/// The interval takes every coefficient at its slow and dear end, and at its fast and cheap end,
/// together: it is wide on purpose, for the coefficients are published for other models.
/// Keys are ids of data/metrics.json. What cannot be known is absent with its reason.
Figures estimate(const DeviceProfile& device, const Workload& workload);

/// Adds the percentages that compare with the float original (`power_reduction_percent`,
/// `energy_reduction_percent`, `battery_savings_percent`) to `figures`.
void add_reductions(Figures& figures, const Figures& original);

/// "low", "medium" or "high": steady-state zone temperature at this power against the zones.
struct ThrottlingRisk {
  std::string level;
  std::string reason;
};
ThrottlingRisk throttling_risk(const DeviceProfile& device, const Figure& power_mw);

}  // namespace wattwise::device
