// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "core/env.h"
#include "engine/runtime.h"

namespace wattwise::engine {

/// How many channels the CPU provider's blocked convolution layout holds side by side on this
/// machine: 16 with AVX-512, 8 on other x86 processors; 0 where the library has no such layout. The
/// runtime itself is asked, since the answer depends on how it was built too.
int64_t cpu_channel_block(const std::shared_ptr<Runtime>& runtime, Env& env);

}  // namespace wattwise::engine
