// SPDX-License-Identifier: Apache-2.0
// Picking one index of an axis and putting the axis back is a slice of one.
//
//   before:  Gather(x, 1, axis 0) -> row;  Unsqueeze(row, 0) -> y     after:  Slice(x, 1:2, axis 0)
//
// Exact: no element changes. The index must be a constant inside an axis of known size. A row that
// others read too stays for them. Left alone: sizes picked from a Shape, which the runtime's own
// fusions of attention and reshapes look for in this form.
#include <algorithm>
#include <array>

#include "optimize/bypass.h"
#include "optimize/passes/passes.h"
#include "optimize/rewrite_graphs.h"
#include "optimize/shape_facts.h"

namespace wattwise::optimize {
namespace {

/// First opset whose Slice takes starts and ends as inputs.
constexpr int64_t kSliceInputs = 10;

struct Pick {
  std::string from;
  int64_t axis;
  int64_t index;
};

/// A Gather of a single index, which leaves its axis out.
std::optional<Pick> pick_of(const GraphEditor& graph, const model::Node& node,
                            const ShapeFacts& facts) {
  if (!node.is("Gather") || node.inputs.size() != 2) return std::nullopt;
  if (facts.type(node.inputs[0]) == DataType::kInt64) return std::nullopt;
  const model::Constant* constant = graph.constant(node.inputs[1]);
  const auto* shape = facts.shape(node.inputs[0]);
  if (!constant || !constant->shape.empty() || !shape) return std::nullopt;
  const auto index = integer_values(*constant);
  const auto rank = static_cast<int64_t>(shape->size());
  const int64_t axis = from_start(node.int_or("axis", 0), rank);
  if (!index || axis < 0 || axis >= rank) return std::nullopt;
  const int64_t size = (*shape)[static_cast<size_t>(axis)];
  const int64_t position = from_start(index->front(), size);
  if (size < 1 || position < 0 || position >= size) return std::nullopt;
  return Pick{node.inputs[0], axis, position};
}

bool puts_back(const GraphEditor& graph, const model::Node& node, const Pick& pick,
               const ShapeFacts& facts) {
  const auto axes = integers_of(graph, node, "axes", 1);
  const auto rank = facts.rank(pick.from);
  return axes && rank && axes->size() == 1 && from_start(axes->front(), *rank) == pick.axis;
}

void slice(GraphEditor& graph, model::Node& node, const Pick& pick) {
  const auto number = [&](const char* what, int64_t value) {
    const std::array values = {value};
    return graph.add_constant(node.outputs[0] + what,
                              model::make_int64_constant("", {1}, values).tensor());
  };
  node.op_type = "Slice";
  node.attributes.clear();
  graph.set_inputs(node, {pick.from, number("_start", pick.index), number("_end", pick.index + 1),
                          number("_axis", pick.axis)});
}

}  // namespace

Result<PassOutcome> keep_gathered_axis(model::Model& model, const PassContext& context) {
  const auto is_gather = [](const model::Node& node) { return node.is("Gather"); };
  if (model.opset("") < kSliceInputs || !any_node(model, is_gather)) return PassOutcome();
  return rewrite_graphs(model, context, [](GraphEditor& graph, const model::ShapeTable& shapes) {
    const ShapeFacts facts(shapes);
    int64_t changed = 0;
    for (model::Node* node : graph.nodes()) {
      if (!node->is("Unsqueeze") || node->inputs.empty()) continue;
      const model::Node* gather = graph.producer(node->inputs[0]);
      const auto pick = gather ? pick_of(graph, *gather, facts) : std::nullopt;
      if (!pick || !puts_back(graph, *node, *pick, facts)) continue;
      slice(graph, *node, *pick);
      ++changed;
    }
    return changed;
  });
}

}  // namespace wattwise::optimize
