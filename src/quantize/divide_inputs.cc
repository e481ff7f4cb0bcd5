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

struct ChosenDivision {
  DividedInput item;
  std::string reason;
  const DivisionNames& names;
};

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

Division divide_input(GraphEditor& graph, const model::ShapeTable& shapes,
                      const DividedInput& item) {
  const std::vector<float>& divisors = item.divisors;
  std::string input = item.input.name;
  const bool folded = is_private(graph, item) && divide_upstream(graph, shapes, input, divisors);
  if (!folded && !item.is_worth_node) return {DivisionPlace::kNowhere, input};
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
  return {folded ? DivisionPlace::kConstants : DivisionPlace::kNode, input};
}

namespace {

/// What is to be known, unless that takes too much memory.
Detail affordable(Detail detail, const std::vector<MatrixGroup>& groups) {
  size_t bytes = 0;
  for (const MatrixGroup& group : groups) bytes += gram_bytes(group);
  return bytes > kGramBytes ? Detail::kExtremes : detail;
}

/// Divides one input, tells of it, and keeps its statistics true.
void divide_and_tell(GraphEditor& graph, const MethodContext& context, const ChosenDivision& chosen,
                     DividedModel& out) {
  const auto& [item, reason, names] = chosen;
  const Division went = divide_input(graph, context.shapes, item);
  if (went.place == DivisionPlace::kNowhere) {
    out.outcome.decisions.push_back(
        {"leave_undivided", item.input.name, reason + "; not worth a node"});
    return;
  }
  const char* place = went.place == DivisionPlace::kNode ? "in a Mul" : "in constants that make it";
  out.outcome.decisions.push_back(
      {names.action, item.input.name, fmt::format("{}; {}", reason, place)});
  count_applied(out.outcome, names.applied, item.weights.size());
  if (auto known = out.statistics.extract(item.input.name); !known.empty()) {
    known.key() = went.input;
    known.mapped() = divide_columns(std::move(known.mapped()), item.divisors);
    out.statistics.insert(std::move(known));
  }
}

}  // namespace

Result<DividedModel> divide_inputs(model::Model& model, const MethodContext& context,
                                   const DivisionNames& names, const ChooseDivisors& choose) {
  DividedModel out;
  std::vector<Decision> told_by_the_method;
  const std::vector<Weight> weights = find_weights(model, told_by_the_method);
  const auto groups = group_matrices(model, weights, told_by_the_method);
  std::vector<ProductInput> inputs;
  for (const MatrixGroup& group : groups) inputs.push_back(group.input);
  const Detail detail = affordable(names.detail, groups);
  std::vector<InputStatistics> statistics;
  if (!inputs.empty()) {
    statistics = WATTWISE_TRY(gather_input_statistics(model, inputs, detail, context));
  }
  std::vector<ChosenDivision> chosen;
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
    if (!item.divisors.empty()) chosen.push_back({std::move(item), std::move(found.reason), names});
    if (detail == Detail::kGram) out.statistics[inputs[i].name] = std::move(statistics[i]);
  }
  optimize::ModelEditor editor(model);
  for (const ChosenDivision& division : chosen) {
    divide_and_tell(editor.graphs().front(), context, division, out);
  }
  WATTWISE_TRY(editor.finish());
  model::remove_unused(model.graph);
  return out;
}

}  // namespace wattwise::quantize
