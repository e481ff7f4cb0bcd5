// SPDX-License-Identifier: Apache-2.0
#include "quantize/divide_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "model/graph_edit.h"
#include "quantize/divide_upstream.h"
#include "quantize/floats.h"
#include "quantize/matrix_groups.h"
#include "quantize/quantize_weights.h"

namespace wattwise::quantize {
namespace {

using optimize::GraphEditor;

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

bool multiplies(const model::Node& node, const DividedInput& item) {
  return node.is("MatMul") && node.inputs[0] == item.input.name &&
         std::find(item.weights.begin(), item.weights.end(), node.inputs[1]) != item.weights.end();
}

/// The matrices' side: each takes the divisors into its rows. `input` is what they multiply now.
void scale_matrices(GraphEditor& graph, const DividedInput& item, const std::string& input) {
  std::unordered_map<std::string, std::string> scaled;
  for (model::Node* node : graph.readers(item.input.name)) {
    if (!multiplies(*node, item)) continue;
    const std::string weight = node->inputs[1];
    std::string& name = scaled[weight];
    if (name.empty()) {
      name = graph.add_constant(weight + "_scaled",
                                scale_rows(*graph.constant(weight), item.divisors));
    }
    graph.set_inputs(*node, {input, name});
  }
}

/// True if nothing but the matrices reads the value.
bool is_private(const GraphEditor& graph, const DividedInput& item) {
  int matrices = 0;
  int shape_readers = 0;
  for (const model::Node* node : graph.readers(item.input.name)) {
    matrices += multiplies(*node, item);
    shape_readers += node->is("Shape");
  }
  return !graph.is_output(item.input.name) &&
         graph.uses(item.input.name) == matrices + shape_readers;
}

}  // namespace

DivisionPlace divide_input(GraphEditor& graph, const model::ShapeTable& shapes,
                           const DividedInput& item) {
  const std::vector<float>& divisors = item.divisors;
  std::string input = item.input.name;
  const bool folded = is_private(graph, item) && divide_upstream(graph, shapes, input, divisors);
  if (!folded && !item.is_worth_node) return DivisionPlace::kNowhere;
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
  return folded ? DivisionPlace::kConstants : DivisionPlace::kNode;
}

Result<MethodOutcome> divide_inputs(model::Model& model, const MethodContext& context,
                                    const DivisionNames& names, const ChooseDivisors& choose) {
  MethodOutcome outcome;
  std::vector<Decision> told_by_the_method;
  const std::vector<Weight> weights = find_weights(model, told_by_the_method);
  const auto groups = group_matrices(model, weights, told_by_the_method);
  std::vector<ProductInput> inputs;
  for (const MatrixGroup& group : groups) inputs.push_back(group.input);
  std::vector<InputStatistics> statistics;
  if (!inputs.empty()) {
    statistics = WATTWISE_TRY(gather_input_statistics(model, inputs, Detail::kExtremes, context));
  }
  std::vector<std::pair<DividedInput, std::string>> chosen;
  for (size_t i = 0; i < groups.size(); ++i) {
    std::vector<Floats> matrices;
    DividedInput item{inputs[i], {}, {}, true};
    for (const Weight* weight : groups[i].weights) {
      matrices.push_back(weight->values());
      item.weights.push_back(weight->name);
    }
    ChosenDivisors found = choose(statistics[i], matrices);
    item.divisors = std::move(found.divisors);
    item.is_worth_node = found.is_worth_node;
    if (!item.divisors.empty()) chosen.emplace_back(std::move(item), std::move(found.reason));
  }
  optimize::ModelEditor editor(model);
  for (const auto& [item, reason] : chosen) {
    const DivisionPlace went = divide_input(editor.graphs().front(), context.shapes, item);
    if (went == DivisionPlace::kNowhere) {
      outcome.decisions.push_back(
          {"leave_undivided", item.input.name, reason + "; not worth a node"});
      continue;
    }
    const char* place = went == DivisionPlace::kNode ? "in a Mul" : "in constants that make it";
    outcome.decisions.push_back(
        {names.action, item.input.name, fmt::format("{}; {}", reason, place)});
    count_applied(outcome, names.applied, item.weights.size());
  }
  WATTWISE_TRY(editor.finish());
  model::remove_unused(model.graph);
  return outcome;
}

}  // namespace wattwise::quantize
