// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/env.h"
#include "wattwise/types.h"
#include "wattwise/units.h"

namespace wattwise::device {

/// One thermal zone of the kernel. Found by its `type`, never by its number.
struct ThermalZone {
  std::string type;
  std::string path;
  std::optional<Celsius> temperature;  ///< absent when it cannot be read now
  std::optional<Celsius> passive_trip;
  std::optional<Celsius> critical_trip;
};

struct Battery {
  std::string name;
  std::optional<double> level_percent;
  std::optional<bool> is_charging;
  std::optional<WattHours> capacity;
  std::optional<Milliwatts> power;  ///< positive while discharging
};

struct Memory {
  std::optional<uint64_t> total_bytes;
  std::optional<uint64_t> available_bytes;
};

struct CpuCore {
  int id = 0;
  std::optional<int64_t> current_khz;
  std::optional<int64_t> max_khz;
};

struct Cpu {
  std::string model;
  int logical_cores = 0;
  std::optional<int> physical_cores;
  std::vector<std::string> isa;  ///< of those that matter here: "avx2", "avx512_vnni", "asimddp"
  std::vector<CpuCore> cores;
};

/// An energy counter (RAPL and the like).
struct EnergyCounter {
  std::string name;
  std::string path;
  std::optional<Millijoules> energy;
  std::optional<Millijoules> wraps_at;
};

/// Everything the machine says about itself at one moment. What it does not say is absent.
struct DeviceSnapshot {
  Seconds taken_at;  ///< Env::wall_now()
  Cpu cpu;
  Memory memory;
  std::vector<ThermalZone> thermal_zones;
  std::vector<Battery> batteries;
  std::vector<EnergyCounter> energy_counters;
};

/// Reads sysfs and procfs below `root` ("" for the real one). Never fails: what cannot be read is
/// absent.
DeviceSnapshot take_snapshot(const Env& env, const std::string& root);

}  // namespace wattwise::device
