// SPDX-License-Identifier: Apache-2.0
#include "deploy/reach_opset.h"

#include <fmt/format.h>

#include "deploy/rewrite.h"
#include "engine/session.h"
#include "model/graph_edit.h"
#include "optimize/convert_opset.h"

namespace wattwise::deploy {
namespace {

/// What spells an operator out computes in another order.
constexpr double kMaxError = 1e-5;

/// The model in another set. Where a value that must be a constant there is computed, or a node
/// stands in the way that nothing needs, the exact passes may help; they come first then.
Result<Rewritten> convert(Context& context, const Source& source, int64_t opset) {
  auto runtime = WATTWISE_TRY(context.runtime());
  const auto shapes = WATTWISE_TRY(engine::infer_free_shapes(runtime, context.env(), source.model));
  Rewritten converted{model::clone(source.model), {}, {}, {}};
  const OptimizationConfig config = context.resolved().config.optimization;
  const auto refusal = optimize::convert_opset(converted.model, opset, shapes);
  if (!refusal && !config.enabled) return refusal.error();
  if (!refusal) {
    converted = WATTWISE_TRY(run_passes(context, source, config.disabled_passes));
    const auto left =
        WATTWISE_TRY(engine::infer_free_shapes(runtime, context.env(), converted.model));
    WATTWISE_TRY(optimize::convert_opset(converted.model, opset, left));
  }
  WATTWISE_TRY(model::verify(converted.model));
  converted.max_error = kMaxError;
  return converted;
}

}  // namespace

Result<void> reach_opset(Context& context, Source& source) {
  const auto wanted = source.opset;
  const int64_t before = source.model.opset("");
  if (!wanted) return {};
  if (*wanted == before) {  // a runtime that wants the set may know no newer file format either
    optimize::lower_ir_version(source.model);
    return {};
  }
  Rewritten converted = WATTWISE_TRY(convert(context, source, *wanted));
  if (const auto why = WATTWISE_TRY(lasting_objection(context, source, converted))) {
    return Error(
        ErrorCode::kUnsupported,
        fmt::format("in operator set {} the model does not work as it did: {}", *wanted, *why));
  }
  source.model = std::move(converted.model);
  source.applied = converted.report.applied;
  source.max_error = kMaxError;
  source.decisions.push_back(
      {"convert_opset", "model",
       fmt::format("from operator set {} to {}, as asked for{}", before, *wanted,
                   converted.report.applied.empty() ? "" : ", after the exact passes")});
  return {};
}

}  // namespace wattwise::deploy
