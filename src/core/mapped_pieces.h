// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>
#include <string>

#include "core/env.h"

namespace wattwise {

/// Calls `visit` with one piece of a mapped file after the other and lets the pages of each go, so
/// that a file larger than memory can be read. Only for what Env::map_file gave.
Result<void> visit_pieces(const Env& env, const Bytes& mapped,
                          const std::function<Result<void>(std::span<const std::byte>)>& visit);

/// The `hash_of` a mapped file, read in pieces.
std::string hash_of_mapped(const Env& env, const Bytes& mapped);

}  // namespace wattwise
