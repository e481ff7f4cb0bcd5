// SPDX-License-Identifier: Apache-2.0
#include "device/thermal_bands.h"

#include <algorithm>
#include <array>

#include "core/text.h"

namespace wattwise::device {
namespace {

constexpr std::array<std::string_view, 5> kStatus = {"NORMAL", "WARNING", "THROTTLING", "CRITICAL",
                                                     "EMERGENCY"};
constexpr double kEmergencyAboveCritical = 5;
/// For zones that neither the kernel nor the device file describes.
constexpr double kDefaultWarning = 70;
constexpr double kDefaultCritical = 85;

struct PolicyRow {
  std::string_view name;
  std::array<int, 5> levels;  ///< by status
  double warning_shift_c;
  double critical_shift_c;
};

constexpr std::array kPolicies = {
    PolicyRow{"default", {0, 1, 2, 4, 5}, 0, 0},
    PolicyRow{"battery_saving", {0, 2, 3, 4, 5}, -5, -5},
    PolicyRow{"performance", {0, 0, 1, 2, 4}, 5, 3},
};

const PolicyRow& find_policy(std::string_view name) {
  const auto it = std::find_if(kPolicies.begin(), kPolicies.end(),
                               [&](const PolicyRow& row) { return row.name == name; });
  return it == kPolicies.end() ? kPolicies.front() : *it;
}

struct Limits {
  double warning;
  double critical;
};

Limits limits_of(const ThermalZone& zone, const Json& device_zones, const PolicyRow& policy) {
  Limits limits{kDefaultWarning, kDefaultCritical};
  for (const auto& [name, row] : device_zones.items()) {
    if (to_lower(zone.type).find(name) == std::string::npos) continue;
    limits = {row["warning_c"].get<double>(), row["critical_c"].get<double>()};
  }
  if (zone.passive_trip) limits.warning = zone.passive_trip->count();
  if (zone.critical_trip) limits.critical = zone.critical_trip->count();
  return {limits.warning + policy.warning_shift_c, limits.critical + policy.critical_shift_c};
}

size_t classify(double celsius, const Limits& limits) {
  if (celsius >= limits.critical + kEmergencyAboveCritical) return 4;
  if (celsius >= limits.critical) return 3;
  if (celsius >= (limits.warning + limits.critical) / 2) return 2;
  return celsius >= limits.warning ? 1 : 0;
}

}  // namespace

ThermalAssessment assess(const std::vector<ThermalZone>& zones, const Json& device_zones,
                         std::string_view policy_name) {
  const PolicyRow& policy = find_policy(policy_name);
  ThermalAssessment out{"UNKNOWN", 0, {}, {}};
  size_t worst = 0;
  for (const ThermalZone& zone : zones) {
    if (!zone.temperature) continue;
    const double celsius = zone.temperature->count();
    const Limits limits = limits_of(zone, device_zones, policy);
    out.temperatures_c[zone.type] = celsius;
    out.headroom_c[zone.type] = limits.warning - celsius;
    worst = std::max(worst, classify(celsius, limits));
  }
  if (out.temperatures_c.empty()) return out;
  out.status = kStatus[worst];
  out.level = policy.levels[worst];
  return out;
}

}  // namespace wattwise::device
