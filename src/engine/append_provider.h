// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "engine/ort.h"
#include "engine/providers.h"
#include "wattwise/types.h"

namespace wattwise::engine {

/// Appends the wanted providers that can run here, in order, and returns the leading one's id.
/// Those left out are added to `decisions`.
Result<std::string> append_providers(const Runtime& runtime, OrtSessionOptions* options,
                                     const std::vector<std::string>& wanted,
                                     std::vector<Decision>& decisions);

}  // namespace wattwise::engine
