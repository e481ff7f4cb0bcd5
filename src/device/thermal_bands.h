// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "device/snapshot.h"

namespace wattwise::device {

/// What the machine's zones mean under a cooling policy.
struct ThermalAssessment {
  std::string status;  ///< NORMAL, WARNING, THROTTLING, CRITICAL, EMERGENCY, or UNKNOWN
  int level = 0;       ///< 0 (none) .. 5 (emergency)
  std::map<std::string, double> temperatures_c;
  std::map<std::string, double> headroom_c;  ///< to each zone's warning
};

/// Classifies each zone by its warning W and critical C, worst zone first: WARNING from W,
/// THROTTLING from (W + C) / 2, CRITICAL from C, EMERGENCY from C + 5. The kernel's trip points win
/// over the device file's `zones`, which are matched by the zone's type. `policy` is a name of the
/// configuration; it shifts W and C and maps the status to a level. Pure.
ThermalAssessment assess(const std::vector<ThermalZone>& zones, const Json& device_zones,
                         std::string_view policy);

}  // namespace wattwise::device
