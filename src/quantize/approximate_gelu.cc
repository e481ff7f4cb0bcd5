// SPDX-License-Identifier: Apache-2.0
#include "quantize/approximate_gelu.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "optimize/elementwise_parts.h"
#include "optimize/erf_gelu.h"
#include "quantize/integer_matmul.h"
#include "quantize/quantize_weights.h"

namespace wattwise::quantize {
namespace {

using optimize::GraphEditor;

/// A constant, in 16 bits perhaps.
bool is_stored(const GraphEditor& graph, const std::string& value) {
  const model::Node* cast = graph.producer_if(value, "Cast");
  return graph.constant(cast ? cast->inputs[0] : value) != nullptr;
}

/// Whether the node only scales the value, column by column.
bool scales_value(const GraphEditor& graph, const model::Node& node, const std::string& value) {
  if (!node.is("Mul") || node.inputs.size() != 2) return false;
  return is_stored(graph, node.inputs[node.inputs[0] == value ? 1 : 0]);
}

/// Whether the value goes into integers wherever it is read.
bool is_only_multiplied(const GraphEditor& graph, const std::string& value) {
  const auto readers = graph.readers(value);
  if (readers.empty() || graph.uses(value) != static_cast<int>(readers.size())) return false;
  return std::all_of(readers.begin(), readers.end(), [&](const model::Node* reader) {
    if (is_integer_product(*reader)) return reader->inputs[0] == value;
    return scales_value(graph, *reader, value) && is_only_multiplied(graph, reader->outputs[0]);
  });
}

model::Node fast_gelu(const std::string& x, const std::string& result) {
  model::Node node = optimize::make_node("FastGelu", {x}, result);
  node.domain = "com.microsoft";
  return node;
}

/// The GELU that ends or is this node; its nodes are all that make it.
std::optional<optimize::ErfGelu> gelu_of(const GraphEditor& graph, const model::ShapeTable& shapes,
                                         model::Node& node) {
  if (node.is("Erf")) return optimize::read_erf_gelu(graph, shapes, node);
  const bool is_exact = node.op_type == "Gelu" &&
                        (node.is_standard() || node.domain == "com.microsoft") &&
                        node.string_or("approximate", "none") == "none";
  if (!is_exact) return std::nullopt;
  return optimize::ErfGelu{node.inputs[0], node.outputs[0], {&node}, true};
}

}  // namespace

void approximate_gelus(GraphEditor& graph, const model::ShapeTable& shapes,
                       MethodOutcome& outcome) {
  for (model::Node* node : graph.nodes()) {
    const auto gelu = gelu_of(graph, shapes, *node);
    if (!gelu || !is_only_multiplied(graph, gelu->result)) continue;
    if (!optimize::is_float(shapes, gelu->x)) continue;
    for (model::Node* old : gelu->nodes) graph.remove(*old);
    graph.add(fast_gelu(gelu->x, gelu->result));
    count_applied(outcome, "approximate_gelu", 1);
    outcome.decisions.push_back({"approximate_gelu", gelu->result,
                                 "only integer products read it, whose steps are ten times as wide "
                                 "as what a tangent changes"});
  }
}

}  // namespace wattwise::quantize
