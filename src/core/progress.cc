// SPDX-License-Identifier: Apache-2.0
#include "core/progress.h"

#include <string>

namespace wattwise {

Result<void> report_progress(const Progress& progress, std::string_view stage, double fraction) {
  if (!progress || progress(stage, fraction)) return {};
  return Error(ErrorCode::kExhausted, "cancelled while " + std::string(stage));
}

}  // namespace wattwise
