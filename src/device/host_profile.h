// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "device/snapshot.h"

namespace wattwise::device {

/// Id of the device file that stands for this machine: by its instruction set, since nothing finer
/// is published for most processors.
std::string host_profile_id(const DeviceSnapshot& snapshot);

}  // namespace wattwise::device
