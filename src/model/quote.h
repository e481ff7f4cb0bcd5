// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace wattwise::model {

/// `name` in quotes, fit for one line of a message: control characters become "?", and what is
/// longer than 80 bytes is cut. Names come from files that nobody has checked.
std::string quoted(std::string_view name);

}  // namespace wattwise::model
