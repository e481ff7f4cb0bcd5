// SPDX-License-Identifier: Apache-2.0
#include "quantize/smooth_inputs.h"

#include <fmt/format.h>

#include "model/graph_edit.h"
#include "quantize/divide_inputs.h"
#include "quantize/kernels.h"
#include "quantize/matrix_groups.h"
#include "quantize/quantize_weights.h"
#include "quantize/smoothing.h"

namespace wattwise::quantize {
namespace {

struct SmoothedInput {
  DividedInput divided;
  Smoothing smoothing;
};

Decision describe(const SmoothedInput& item, bool took_node) {
  return {"smooth", item.divided.input.name,
          fmt::format("by strength {:.2f}, for {:.1f} dB less error of the products with it; {}",
                      item.smoothing.strength,
                      decibels(item.smoothing.noise_without, item.smoothing.noise),
                      took_node ? "in a Mul" : "in constants that make it")};
}

Result<std::vector<SmoothedInput>> choose(model::Model& model, const MethodContext& context) {
  std::vector<Decision> told_by_the_method;
  const std::vector<Weight> weights = find_weights(model, told_by_the_method);
  const auto groups = group_matrices(model, weights, told_by_the_method);
  std::vector<ProductInput> inputs;
  for (const MatrixGroup& group : groups) inputs.push_back(group.input);
  std::vector<SmoothedInput> chosen;
  if (inputs.empty()) return chosen;
  const auto statistics =
      WATTWISE_TRY(gather_input_statistics(model, inputs, Detail::kExtremes, context));
  for (size_t i = 0; i < groups.size(); ++i) {
    std::vector<Floats> matrices;
    SmoothedInput item{{inputs[i], {}, {}}, {}};
    for (const Weight* weight : groups[i].weights) {
      matrices.push_back(weight->values());
      item.divided.weights.push_back(weight->name);
    }
    item.smoothing = choose_smoothing(statistics[i], matrices);
    item.divided.divisors = item.smoothing.divisors;
    if (!item.divided.divisors.empty()) chosen.push_back(std::move(item));
  }
  return chosen;
}

}  // namespace

bool smooths_inputs(const MethodContext& context) {
  return context.calibration && Techniques(context.config).has(Technique::kSmoothQuant);
}

Result<MethodOutcome> smooth_inputs(model::Model& model, const MethodContext& context) {
  MethodOutcome outcome;
  const auto chosen = WATTWISE_TRY(choose(model, context));
  optimize::ModelEditor editor(model);
  optimize::GraphEditor& graph = editor.graphs().front();
  for (const SmoothedInput& item : chosen) {
    const bool took_node = divide_input(graph, context.shapes, item.divided);
    outcome.decisions.push_back(describe(item, took_node));
    count_applied(outcome, "smooth_inputs", item.divided.weights.size());
  }
  WATTWISE_TRY(editor.finish());
  model::remove_unused(model.graph);
  return outcome;
}

}  // namespace wattwise::quantize
