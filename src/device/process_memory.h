// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "core/env.h"

namespace wattwise::device {

/// Memory of this process that no file backs (RssAnon of /proc/self/status); absent where the
/// system does not tell.
std::optional<uint64_t> anonymous_bytes(const Env& env);

/// Memory that this process can still take: what the system has available (MemAvailable of
/// /proc/meminfo) or, if that is less, what its control group has left (memory.max less
/// memory.current). Absent where neither is told.
std::optional<uint64_t> available_bytes(const Env& env);

/// Gives memory that was freed, but is kept for later, back to the system where its C library can,
/// so that what is taken next shows in anonymous_bytes().
void return_free_memory();

}  // namespace wattwise::device
