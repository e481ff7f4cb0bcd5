// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "quantize/quantize.h"

namespace wattwise::quantize {

/// Spells the model as operator set `version` wants it, if it is older; a decision tells of it.
/// `why` completes "from operator set 9 to 13, which has". kUnsupported, with the model as it was,
/// naming the node that has no such form.
struct OpsetGoal {
  int64_t version;
  std::string_view why;
};
Result<void> raise_opset(model::Model& model, const OpsetGoal& goal, const MethodContext& context,
                         MethodOutcome& outcome);

}  // namespace wattwise::quantize
