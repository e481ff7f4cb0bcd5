// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/env.h"

namespace wattwise::device {

/// One thing this machine could measure.
struct Finding {
  std::string subject;  ///< "battery", "CPU energy counter (RAPL)"
  bool available = false;
  std::string detail;  ///< what was read, or what is missing
  std::string
      unlock;  ///< permission, package or kernel option that would make it available; "" if none
};

/// Looks at every sensor row below `root` ("" for the real machine).
std::vector<Finding> diagnose(const Env& env, const std::string& root);

}  // namespace wattwise::device
