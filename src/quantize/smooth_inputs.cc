// SPDX-License-Identifier: Apache-2.0
#include "quantize/smooth_inputs.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/graph_edit.h"
#include "optimize/graph_editor.h"
#include "quantize/divide_upstream.h"
#include "quantize/kernels.h"
#include "quantize/matrix_groups.h"
#include "quantize/smoothing.h"
#include "quantize/store_int8.h"
#include "quantize/techniques.h"

namespace wattwise::quantize {
namespace {

using optimize::GraphEditor;

/// What is decided about one value, in names: pointers into the model do not outlive its editing.
struct SmoothedInput {
  ProductInput input;
  Smoothing smoothing;
  std::vector<std::string> weights;
};

/// Rows of a weight times the divisors.
Tensor scale_rows(const model::Constant& weight, const std::vector<float>& divisors) {
  const Floats values(weight.data.view());
  const size_t columns = values.size() / divisors.size();
  std::vector<float> scaled(values.size());
  for (size_t row = 0; row < divisors.size(); ++row) {
    for (size_t i = row * columns; i < (row + 1) * columns; ++i) {
      scaled[i] = values[i] * divisors[row];
    }
  }
  return make_float_tensor(weight.shape, scaled);
}

bool multiplies(const model::Node& node, const SmoothedInput& item) {
  return node.is("MatMul") && node.inputs[0] == item.input.name &&
         std::find(item.weights.begin(), item.weights.end(), node.inputs[1]) != item.weights.end();
}

/// The matrices' side: each takes the divisors into its rows. `input` is what they multiply now.
void scale_matrices(GraphEditor& graph, const SmoothedInput& item, const std::string& input) {
  std::unordered_map<std::string, std::string> scaled;
  for (model::Node* node : graph.readers(item.input.name)) {
    if (!multiplies(*node, item)) continue;
    const std::string weight = node->inputs[1];
    std::string& name = scaled[weight];
    if (name.empty()) {
      name = graph.add_constant(weight + "_smoothed",
                                scale_rows(*graph.constant(weight), item.smoothing.divisors));
    }
    graph.set_inputs(*node, {input, name});
  }
}

/// True if nothing but the matrices reads the value.
bool is_private(const GraphEditor& graph, const SmoothedInput& item) {
  int matrices = 0;
  int shape_readers = 0;
  for (const model::Node* node : graph.readers(item.input.name)) {
    matrices += multiplies(*node, item);
    shape_readers += node->is("Shape");
  }
  return !graph.is_output(item.input.name) &&
         graph.uses(item.input.name) == matrices + shape_readers;
}

/// Divides the value and multiplies the matrices. Returns whether it took a node.
bool smooth(GraphEditor& graph, const model::ShapeTable& shapes, const SmoothedInput& item) {
  const std::vector<float>& divisors = item.smoothing.divisors;
  std::string input = item.input.name;
  const bool folded = is_private(graph, item) && divide_upstream(graph, shapes, input, divisors);
  if (!folded) {
    std::vector<float> factors(divisors);
    for (float& factor : factors) factor = 1 / factor;
    const std::string constant = graph.add_constant(
        input + "_factors", make_float_tensor({static_cast<int64_t>(factors.size())}, factors));
    input =
        graph.add(optimize::make_node("Mul", {input, constant}, graph.unique(input + "_smooth")))
            .outputs[0];
  }
  scale_matrices(graph, item, input);
  return !folded;
}

Decision describe(const SmoothedInput& item, bool took_node) {
  return {"smooth", item.input.name,
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
    SmoothedInput item{inputs[i], {}, {}};
    for (const Weight* weight : groups[i].weights) {
      matrices.push_back(weight->values());
      item.weights.push_back(weight->name);
    }
    item.smoothing = choose_smoothing(statistics[i], matrices);
    if (!item.smoothing.divisors.empty()) chosen.push_back(std::move(item));
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
  GraphEditor& graph = editor.graphs().front();
  for (const SmoothedInput& item : chosen) {
    outcome.decisions.push_back(describe(item, smooth(graph, context.shapes, item)));
    count_applied(outcome, "smooth_inputs", item.weights.size());
  }
  WATTWISE_TRY(editor.finish());
  model::remove_unused(model.graph);
  return outcome;
}

}  // namespace wattwise::quantize
