// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "store/store.h"

namespace wattwise::store {

/// The path of the database that the options or the surroundings name; nothing is created.
/// kInvalidArgument where there is no place for it, or something above it is no folder.
Result<std::string> store_path(const Env& env, const StoreOptions& options);

}  // namespace wattwise::store
