// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

#include "core/json.h"
#include "wattwise/config.h"

namespace wattwise::config {

/// Ties one key to its member. Values have been checked against defaults.json before.
struct Binding {
  std::string_view section;
  std::string_view key;
  void (*assign)(Config& config, const Json& value);
};

/// One row per key of defaults.json; a test holds them against each other both ways.
std::span<const Binding> bindings();

}  // namespace wattwise::config
