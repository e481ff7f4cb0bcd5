// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "core/env.h"

namespace wattwise::device {

/// Memory of this process that no file backs (RssAnon of /proc/self/status); absent where the
/// system does not tell.
std::optional<uint64_t> anonymous_bytes(const Env& env);

}  // namespace wattwise::device
