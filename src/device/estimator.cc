// SPDX-License-Identifier: Apache-2.0
#include "device/estimator.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace wattwise::device {
namespace {

constexpr double kAmbientCelsius = 25;

struct CoefficientRow {
  std::string_view key;
  Coefficient DeviceProfile::*member;
};

constexpr std::array kCoefficients = {
    CoefficientRow{"idle_power_mw", &DeviceProfile::idle_power_mw},
    CoefficientRow{"active_power_mw", &DeviceProfile::active_power_mw},
    CoefficientRow{"float_macs_per_second", &DeviceProfile::float_macs_per_second},
    CoefficientRow{"int8_macs_per_second", &DeviceProfile::int8_macs_per_second},
    CoefficientRow{"memory_bytes_per_second", &DeviceProfile::memory_bytes_per_second},
    CoefficientRow{"node_overhead_us", &DeviceProfile::node_overhead_us},
    CoefficientRow{"thermal_resistance_k_per_w", &DeviceProfile::thermal_resistance_k_per_w},
};

Error damaged(const std::string& id, std::string_view key, std::string_view what) {
  return {ErrorCode::kCorrupt, fmt::format("the device file {}: {} {}", id, key, what)};
}

Result<Coefficient> parse_coefficient(const std::string& id, const Json& all,
                                      std::string_view key) {
  const auto it = all.find(std::string(key));
  if (it == all.end() || !it->is_object()) return damaged(id, key, "is missing");
  const Json& json = *it;
  for (const char* part : {"value", "low", "high"}) {
    if (!json.contains(part) || !json[part].is_number()) {
      return damaged(id, key, fmt::format("needs a number \"{}\"", part));
    }
  }
  Coefficient out{json["value"], json["low"], json["high"], json.value("source", "")};
  if (out.source.empty()) return damaged(id, key, "has no source");
  if (!(0 < out.low && out.low <= out.value && out.value <= out.high)) {
    return damaged(id, key, "must satisfy 0 < low <= value <= high");
  }
  return out;
}

Result<int64_t> parse_channel_block(const std::string& id, const Json& file) {
  const Json block = file.value("channel_block", Json::object());
  if (!block.contains("value") || !block["value"].is_number_unsigned()) {
    return damaged(id, "channel_block", "needs a number \"value\", 0 for no blocked layout");
  }
  if (block.value("source", "").empty()) return damaged(id, "channel_block", "has no source");
  return block["value"].get<int64_t>();
}

/// Which end of every interval is taken: fast and cheap, the middle, slow and dear.
enum class Corner { kBest, kMiddle, kWorst };

double rate(const Coefficient& c, Corner corner) {
  return corner == Corner::kBest ? c.high : corner == Corner::kWorst ? c.low : c.value;
}

double cost(const Coefficient& c, Corner corner) {
  return corner == Corner::kBest ? c.low : corner == Corner::kWorst ? c.high : c.value;
}

struct Outcome {
  Seconds latency;
  Millijoules energy;
  Milliwatts power;
};

Seconds latency_of(const DeviceProfile& device, const Workload& workload, Corner corner) {
  double seconds = 0;
  for (const WorkItem& item : workload.items) {
    const Coefficient& macs =
        item.integer_compute ? device.int8_macs_per_second : device.float_macs_per_second;
    const double compute = item.macs / rate(macs, corner);
    const double bytes = item.weight_bytes + item.activation_bytes;
    const double memory = bytes / rate(device.memory_bytes_per_second, corner);
    seconds += std::max(compute, memory) + cost(device.node_overhead_us, corner) * 1e-6;
  }
  return Seconds(seconds);
}

Outcome evaluate(const DeviceProfile& device, const Workload& workload, Corner corner) {
  const Seconds latency = latency_of(device, workload, corner);
  const Millijoules energy = Milliwatts(cost(device.active_power_mw, corner)) * latency;
  const double saturated = latency.count() > 0 ? 1 / latency.count() : workload.request_rate_qps;
  const double runs_per_second = std::min(workload.request_rate_qps, saturated);
  const Milliwatts idle(cost(device.idle_power_mw, corner));
  return {latency, energy, idle + energy / Seconds(1 / runs_per_second)};
}

std::string method_of(const DeviceProfile& device) {
  return "device file " + device.id + ", MACs and bytes per node";
}

/// 100 x (1 - new / old) at the three corners; common coefficients cancel.
Figure reduction(const Figure& prepared, const Figure& original) {
  if (!prepared.value || !original.value || *original.value <= 0) {
    return Figure::absent("one of the two figures is not available");
  }
  const auto at = [](double a, double b) { return b > 0 ? 100 * (1 - a / b) : 0; };
  const double middle = at(*prepared.value, *original.value);
  if (!prepared.low || !prepared.high || !original.low || !original.high) {
    return {middle, std::nullopt, std::nullopt, Origin::kEstimated, prepared.method};
  }
  const double low = at(*prepared.low, *original.low);
  const double high = at(*prepared.high, *original.high);
  return Figure::estimated(middle, std::min({low, middle, high}), std::max({low, middle, high}),
                           prepared.method);
}

}  // namespace

Result<DeviceProfile> parse_device_profile(const std::string& id, const Json& file) {
  DeviceProfile device;
  device.id = id;
  device.description = file.value("description", "");
  const Json coefficients = file.value("coefficients", Json::object());
  for (const CoefficientRow& row : kCoefficients) {
    device.*row.member = WATTWISE_TRY(parse_coefficient(id, coefficients, row.key));
  }
  if (file.contains("battery_wh") && file["battery_wh"].is_number()) {
    device.battery_wh = file["battery_wh"].get<double>();
    device.battery_source = file.value("battery_source", "");
    if (device.battery_source.empty()) return damaged(id, "battery_wh", "has no battery_source");
  }
  device.channel_block = WATTWISE_TRY(parse_channel_block(id, file));
  device.hottest_zone = file.value("hottest_zone", "");
  device.zones = file.value("zones", Json::object());
  for (const auto& [name, zone] : device.zones.items()) {
    if (!zone.contains("warning_c") || !zone.contains("critical_c") ||
        zone.value("source", "").empty()) {
      return damaged(id, "zones." + name, "needs warning_c, critical_c and source");
    }
  }
  if (!device.zones.contains(device.hottest_zone)) {
    return damaged(id, "hottest_zone", "names no zone of the file");
  }
  return device;
}

Figures estimate(const DeviceProfile& device, const Workload& workload) {
  const Outcome best = evaluate(device, workload, Corner::kBest);
  const Outcome middle = evaluate(device, workload, Corner::kMiddle);
  const Outcome worst = evaluate(device, workload, Corner::kWorst);
  const std::string method = method_of(device);
  Figures figures;
  const auto add = [&](const char* id, double m, double a, double b) {
    figures[id] = Figure::estimated(m, std::min(a, b), std::max(a, b), method);
  };
  add("latency_ms", to_milliseconds(middle.latency).count(), to_milliseconds(best.latency).count(),
      to_milliseconds(worst.latency).count());
  add("energy_per_inference_mj", middle.energy.count(), best.energy.count(), worst.energy.count());
  add("power_consumption_mw", middle.power.count(), best.power.count(), worst.power.count());
  const auto per_joule = [](Millijoules e) { return e.count() > 0 ? 1e3 / e.count() : 0; };
  add("energy_efficiency_items_per_joule", per_joule(middle.energy), per_joule(worst.energy),
      per_joule(best.energy));
  add("peak_memory_bytes", workload.peak_memory_bytes, workload.peak_memory_bytes,
      2 * workload.peak_memory_bytes);
  figures["peak_memory_bytes"].method =
      "weights and the widest activations; twice that if repacked";
  if (!device.battery_wh) {
    figures["battery_impact_percent_per_hour"] =
        Figure::absent("the device has no battery capacity; set device.battery_wh");
    return figures;
  }
  const auto impact = [&](Milliwatts p) { return p.count() / 1e3 / *device.battery_wh * 100; };
  add("battery_impact_percent_per_hour", impact(middle.power), impact(best.power),
      impact(worst.power));
  return figures;
}

void add_reductions(Figures& figures, const Figures& original) {
  constexpr std::array<std::pair<const char*, const char*>, 3> kPairs = {
      {{"power_reduction_percent", "power_consumption_mw"},
       {"energy_reduction_percent", "energy_per_inference_mj"},
       {"battery_savings_percent", "battery_impact_percent_per_hour"}}};
  for (const auto& [id, source] : kPairs) {
    const auto before = original.find(source);
    if (before != original.end()) figures[id] = reduction(figures[source], before->second);
  }
}

ThrottlingRisk throttling_risk(const DeviceProfile& device, const Figure& power_mw) {
  if (!power_mw.value || !device.zones.contains(device.hottest_zone)) {
    return {"", "neither power nor zones are known"};
  }
  const Json& zone = device.zones[device.hottest_zone];
  const double warning = zone["warning_c"];
  const double critical = zone["critical_c"];
  const double settled =
      kAmbientCelsius + device.thermal_resistance_k_per_w.value * *power_mw.value / 1e3;
  const std::string level = settled < warning ? "low" : settled < critical ? "medium" : "high";
  return {level,
          fmt::format("{} settles near {:.0f} deg C in {:.0f} deg C surroundings; it warns at "
                      "{:.0f}, its limit is {:.0f}",
                      device.hottest_zone, settled, kAmbientCelsius, warning, critical)};
}

}  // namespace wattwise::device
