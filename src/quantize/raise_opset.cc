// SPDX-License-Identifier: Apache-2.0
#include "quantize/raise_opset.h"

#include <fmt/format.h>

#include "optimize/convert_opset.h"

namespace wattwise::quantize {

Result<void> raise_opset(model::Model& model, const OpsetGoal& goal, const MethodContext& context,
                         MethodOutcome& outcome) {
  const int64_t before = model.opset("");
  if (before >= goal.version) return {};
  if (context.opset) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("{} came with operator set {}, and the result is to be of set {}; "
                             "choose another method",
                             goal.why, goal.version, *context.opset));
  }
  WATTWISE_TRY(optimize::convert_opset(model, goal.version, context.shapes));
  outcome.decisions.push_back(
      {"raise_opset", "model",
       fmt::format("from operator set {} to {}, which has {}", before, goal.version, goal.why)});
  return {};
}

}  // namespace wattwise::quantize
