// SPDX-License-Identifier: Apache-2.0
// For every weight the format that it can bear: float, 16 bits, 8 bits stored, 8 bits multiplied by
// 8-bit inputs, or 4-bit blocks. What each format does to the outputs is measured for all weights
// at once (sensitivity.h), and a knapsack finds the cheapest formats for every sum of errors
// (knapsack.h). Which sum keeps the accuracy limit is for whoever evaluates files to find: see
// deploy/mixed_search.h. On its own, the method keeps the outputs at 30 dB.
#include <algorithm>

#include "quantize/methods/methods.h"
#include "quantize/mixed_plan.h"

namespace wattwise::quantize {
namespace {

/// Squared error over variance: 30 dB.
constexpr double kNoise = 1e-3;

}  // namespace

Result<MethodOutcome> run_mixed(model::Model& model, const MethodContext& context) {
  const MixedPlan plan = WATTWISE_TRY(plan_mixed(model, context));
  const auto choice = std::find_if(plan.choices.begin(), plan.choices.end() - 1,
                                   [](const KnapsackChoice& one) { return one.noise <= kNoise; });
  model = model::clone(plan.model);
  return write_mixed(model, plan, *choice, context);
}

}  // namespace wattwise::quantize
