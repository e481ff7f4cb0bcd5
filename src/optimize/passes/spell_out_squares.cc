// SPDX-License-Identifier: Apache-2.0
// A square is a product, which the provider also has for its blocked layout.
//
//   before:  Pow(x, 2)                 after:  Mul(x, x)
//
// Exact: it is how the runtime computes that power. Left alone: a square whose mean is taken, which
// belongs to a normalization that the runtime knows with a Pow only.
#include <algorithm>

#include "optimize/bypass.h"
#include "optimize/elementwise_parts.h"
#include "optimize/passes/passes.h"
#include "optimize/rewrite_graphs.h"

namespace wattwise::optimize {
namespace {

bool is_power(const model::Node& node) { return node.is("Pow") && node.inputs.size() == 2; }

bool is_averaged(const GraphEditor& graph, const std::string& value) {
  const auto readers = graph.readers(value);
  return std::any_of(readers.begin(), readers.end(),
                     [](const model::Node* node) { return node->is("ReduceMean"); });
}

/// One number of rank 0 or 1 does not lend its shape to the result.
bool is_square(const GraphEditor& graph, const model::ShapeTable& shapes, const model::Node& node) {
  const model::Constant* exponent = graph.constant(node.inputs[1]);
  const auto base = shapes.find(node.inputs[0]);
  if (scalar_value(exponent) != 2.0F || base == shapes.end()) return false;
  return base->second.type == DataType::kFloat &&
         exponent->shape.size() <= base->second.shape.size();
}

}  // namespace

Result<PassOutcome> spell_out_squares(model::Model& model, const PassContext& context) {
  if (model.opset("") < kFirstBroadcastingOpset || !any_node(model, is_power)) return PassOutcome();
  return rewrite_graphs(model, context, [](GraphEditor& graph, const model::ShapeTable& shapes) {
    int64_t changed = 0;
    for (model::Node* node : graph.nodes()) {
      if (!is_power(*node) || !is_square(graph, shapes, *node)) continue;
      if (is_averaged(graph, node->outputs[0])) continue;
      node->op_type = "Mul";
      graph.set_inputs(*node, {node->inputs[0], node->inputs[0]});
      ++changed;
    }
    return changed;
  });
}

}  // namespace wattwise::optimize
