// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace wattwise {

/// What the linker wrote into the program or library that holds this code: another whenever any of
/// its code is. In hexadecimal digits; "" if it was linked without.
std::string build_id();

}  // namespace wattwise
