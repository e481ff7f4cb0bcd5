// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string_view>

#include "wattwise/result.h"

namespace wattwise {

/// Told how far a long job is; returns false to cancel it. `fraction` is 0..1.
using Progress = std::function<bool(std::string_view stage, double fraction)>;

/// Reports to `progress` (if any); kExhausted "cancelled" when it asks to stop.
Result<void> report_progress(const Progress& progress, std::string_view stage, double fraction);

}  // namespace wattwise
