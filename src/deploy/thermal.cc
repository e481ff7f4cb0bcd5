// SPDX-License-Identifier: Apache-2.0
#include "deploy/thermal.h"

#include "device/snapshot.h"
#include "device/thermal_bands.h"

namespace wattwise::deploy {
namespace {

ThermalStatus classify(const device::DeviceSnapshot& snapshot, const Json& zones,
                       const std::string& policy) {
  const auto assessment = device::assess(snapshot.thermal_zones, zones, policy);
  ThermalStatus status;
  status.thermal_status = assessment.status;
  status.throttling_level = assessment.level;
  status.thermal_throttling = assessment.level > 0;
  status.temperatures = assessment.temperatures_c;
  status.headroom = assessment.headroom_c;
  const bool known = !assessment.temperatures_c.empty();
  status.origin = known ? "measured" : "absent";
  status.reason = known ? "the kernel's thermal zones"
                        : "this machine has no readable thermal zone; `wattwise doctor` says more";
  return status;
}

Json battery_state(const device::DeviceSnapshot& snapshot) {
  if (snapshot.batteries.empty()) return nullptr;
  const device::Battery& battery = snapshot.batteries.front();
  return {{"level_percent", battery.level_percent ? Json(*battery.level_percent) : Json(nullptr)},
          {"is_charging", battery.is_charging ? Json(*battery.is_charging) : Json(nullptr)}};
}

Json memory_state(const device::Memory& memory) {
  if (!memory.total_bytes || !memory.available_bytes) return nullptr;
  const double total = static_cast<double>(*memory.total_bytes) / 1e6;
  const double available = static_cast<double>(*memory.available_bytes) / 1e6;
  return {{"total_mb", total},
          {"available_mb", available},
          {"used_mb", total - available},
          {"percent", 100 * (total - available) / total}};
}

Json power_state(const device::DeviceSnapshot& snapshot) {
  for (const device::Battery& battery : snapshot.batteries) {
    if (battery.power && battery.power->count() > 0) {
      return {{"power_consumption_mw", battery.power->count()},
              {"origin", "measured"},
              {"method", "battery " + battery.name}};
    }
  }
  return nullptr;
}

}  // namespace

ThermalStatus read_thermal_status(Context& context, const config::Resolved& resolved) {
  const auto snapshot = device::take_snapshot(context.env(), "");
  const auto device = context.device(resolved);
  const Json zones = device && *device ? (*device)->zones : Json::object();
  return classify(snapshot, zones, resolved.config.thermal_management.policy);
}

ThermalStatus recent_thermal_status(Context& context, const config::Resolved& resolved) {
  const double interval = resolved.config.thermal_management.temperature_check_interval_seconds;
  const Seconds now = context.env().monotonic_now();
  if (auto last = context.last_thermal(); last && (now - last->at).count() < interval) {
    return last->status;
  }
  ThermalStatus status = read_thermal_status(context, resolved);
  context.remember_thermal({now, status});
  return status;
}

Json device_state(Context& context) {
  const auto snapshot = device::take_snapshot(context.env(), "");
  const ThermalStatus thermal = read_thermal_status(context, context.resolved());
  return {{"thermal",
           {{"thermal_status", thermal.thermal_status},
            {"temperatures", thermal.temperatures},
            {"origin", thermal.origin}}},
          {"battery", battery_state(snapshot)},
          {"memory", memory_state(snapshot.memory)},
          {"power", power_state(snapshot)}};
}

}  // namespace wattwise::deploy
