// SPDX-License-Identifier: Apache-2.0
#include "quantize/reach_opset.h"

#include <fmt/format.h>

#include "optimize/raise_opset.h"

namespace wattwise::quantize {

Result<void> reach_opset(model::Model& model, const OpsetGoal& goal, const MethodContext& context,
                         MethodOutcome& outcome) {
  const int64_t before = model.opset("");
  if (before >= goal.version) return {};
  WATTWISE_TRY(optimize::raise_opset(model, goal.version, context.shapes));
  outcome.decisions.push_back(
      {"raise_opset", "model",
       fmt::format("from operator set {} to {}, which has {}", before, goal.version, goal.why)});
  return {};
}

}  // namespace wattwise::quantize
