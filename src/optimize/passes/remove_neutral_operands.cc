// SPDX-License-Identifier: Apache-2.0
// Arithmetic with the neutral element does nothing.
//
//   before:  Mul(x, 1) -> y;  Relu(y)        after:  Relu(x)
//
// Exact: 1 x = x / 1 = x ^ 1 = x and x + 0 = x - 0 = x (a zero may change its sign). The constant
// may have any shape that broadcasts into x's own, which must be known unless it is a scalar.
#include <algorithm>
#include <array>

#include "optimize/bypass.h"
#include "optimize/passes/passes.h"
#include "optimize/shape_facts.h"

namespace wattwise::optimize {
namespace {

/// Before this opset broadcasting worked by attributes.
constexpr int64_t kBroadcasting = 7;

struct Neutral {
  std::string_view op;
  double element;
  bool either_side;
};

constexpr std::array kNeutral = {Neutral{"Mul", 1, true}, Neutral{"Div", 1, false},
                                 Neutral{"Add", 0, true}, Neutral{"Sub", 0, false},
                                 Neutral{"Pow", 1, false}};

const Neutral* find_neutral(const model::Node& node) {
  const auto it = std::find_if(kNeutral.begin(), kNeutral.end(),
                               [&](const Neutral& row) { return node.is(row.op); });
  return it == kNeutral.end() || node.inputs.size() != 2 ? nullptr : &*it;
}

struct Operands {
  std::string value;
  const model::Constant* constant;
};

/// The other operand of a constant that holds only the neutral element.
std::optional<Operands> neutral_operands(const GraphEditor& graph, const model::Node& node) {
  const Neutral* neutral = find_neutral(node);
  if (!neutral) return std::nullopt;
  for (size_t slot = 0; slot < 2; ++slot) {
    if (slot == 0 && !neutral->either_side) continue;
    const model::Constant* constant = graph.constant(node.inputs[slot]);
    if (constant && holds_only(*constant, neutral->element)) {
      return Operands{node.inputs[1 - slot], constant};
    }
  }
  return std::nullopt;
}

bool has_candidate(model::Model& model) {
  if (model.opset("") < kBroadcasting) return false;
  bool found = false;
  const model::ConstantIndex constants(model.graph);
  model::for_each_graph(model.graph, [&](model::Graph& graph, const std::string&) {
    for (const model::Node& node : graph.nodes) {
      const Neutral* neutral = find_neutral(node);
      for (size_t slot = 0; neutral && slot < 2; ++slot) {
        const model::Constant* constant = constants.find(graph, node.inputs[slot]);
        found = found || (constant && holds_only(*constant, neutral->element));
      }
    }
  });
  return found;
}

}  // namespace

Result<PassOutcome> remove_neutral_operands(model::Model& model, const PassContext& context) {
  if (!has_candidate(model)) return PassOutcome();
  const ShapeFacts facts(*WATTWISE_TRY(context.shapes(model)));
  return bypass_nodes(
      model, context,
      [&](const GraphEditor& graph, const model::Node& node) -> std::optional<std::string> {
        const auto operands = neutral_operands(graph, node);
        if (!operands) return std::nullopt;
        const auto& constant = operands->constant->shape;
        const auto* shape = facts.shape(operands->value);
        const bool fits = shape ? broadcasts_into(constant, *shape) : constant.empty();
        return fits ? std::optional(operands->value) : std::nullopt;
      });
}

}  // namespace wattwise::optimize
