// SPDX-License-Identifier: Apache-2.0
#include "device/host_profile.h"

#include <algorithm>

namespace wattwise::device {

std::string host_profile_id(const DeviceSnapshot& snapshot) {
  const auto& isa = snapshot.cpu.isa;
  const bool arm = std::find(isa.begin(), isa.end(), "asimd") != isa.end();
  return arm ? "board_raspberry_pi_4b" : "desktop_x86";
}

}  // namespace wattwise::device
