// SPDX-License-Identifier: Apache-2.0
// int8 weights, activations quantized by ranges that calibration data shows.
//
//   Conv and what lies between them   works on uint8 where that saves time: see integer_plan.h;
//   everything else                   as `dynamic` does it.
//
// Weights obey the pair rule of kernels.h, so that processors without VNNI give the same answer.
#include <fmt/format.h>

#include <algorithm>

#include "model/graph_edit.h"
#include "optimize/raise_opset.h"
#include "quantize/integer_plan.h"
#include "quantize/integer_writer.h"
#include "quantize/methods/methods.h"
#include "quantize/store_int8.h"

namespace wattwise::quantize {
namespace {

/// The first operator set with scales per channel and bounds of Clip as bytes.
constexpr int64_t kOpset = 13;

const RangeMethod& range_method(std::string_view name) {
  for (const RangeMethod& method : range_methods()) {
    if (method.name == name) return method;
  }
  return range_methods().front();
}

Result<void> reach_opset(model::Model& model, const MethodContext& context,
                         MethodOutcome& outcome) {
  const int64_t before = model.opset("");
  if (before >= kOpset) return {};
  WATTWISE_TRY(optimize::raise_opset(model, kOpset, context.shapes));
  outcome.decisions.push_back(
      {"raise_opset", "model",
       fmt::format("from operator set {} to {}, which has scales per channel", before, kOpset)});
  return {};
}

Result<void> quantize_activations(model::Model& model, const MethodContext& context,
                                  MethodOutcome& outcome) {
  const CalibrationData& data = *context.calibration;
  const model::Model original = model::clone(model);
  optimize::ModelEditor editor(model);
  optimize::GraphEditor& graph = editor.graphs().front();
  IntegerPlan plan = plan_integers(graph, context.shapes);
  outcome.decisions.insert(outcome.decisions.end(), plan.decisions.begin(), plan.decisions.end());
  if (!plan.steps.empty()) {
    const ActivationTable activations = WATTWISE_TRY(
        gather_activations(original, values_to_calibrate(plan), data, context.progress));
    outcome.layers = write_integers(graph, plan, activations, range_method(data.range_method));
    count_applied(outcome, kStaticConvolution, outcome.layers.size());
    count_applied(outcome, "static_int8_operators", plan.steps.size() - outcome.layers.size());
  }
  WATTWISE_TRY(editor.finish());
  model::remove_unused(model.graph);
  return {};
}

}  // namespace

Result<MethodOutcome> run_static(model::Model& model, const MethodContext& context) {
  if (!context.calibration) {
    return Error(
        ErrorCode::kInvalidArgument,
        "static quantization needs calibration data: inputs like those of the application");
  }
  MethodOutcome outcome;
  WATTWISE_TRY(reach_opset(model, context, outcome));
  WATTWISE_TRY(quantize_activations(model, context, outcome));
  if (outcome.layers.empty()) return outcome;
  MethodOutcome rest = WATTWISE_TRY(run_dynamic(model, context));
  // What was made above is no float any more; that is no news.
  std::erase_if(rest.decisions,
                [](const Decision& decision) { return decision.action == "leave"; });
  outcome.decisions.insert(outcome.decisions.end(), rest.decisions.begin(), rest.decisions.end());
  outcome.applied.insert(outcome.applied.end(), rest.applied.begin(), rest.applied.end());
  outcome.layers.insert(outcome.layers.end(), rest.layers.begin(), rest.layers.end());
  return outcome;
}

}  // namespace wattwise::quantize
