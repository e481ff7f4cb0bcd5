// SPDX-License-Identifier: Apache-2.0
#include "optimize/passage.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>

namespace wattwise::optimize {
namespace {

enum class Kind {
  kNone,
  kUnary,
  kElementwise,
  kConcat,
  kSoftmax,
  kReduce,
  kSqueeze,
  kSlice,
  kPad,
  kSplit
};

struct Row {
  std::string_view op;
  Kind kind;
};

constexpr std::array kRows = {
    Row{"Relu", Kind::kUnary},
    Row{"LeakyRelu", Kind::kUnary},
    Row{"Sigmoid", Kind::kUnary},
    Row{"HardSigmoid", Kind::kUnary},
    Row{"HardSwish", Kind::kUnary},
    Row{"Tanh", Kind::kUnary},
    Row{"Elu", Kind::kUnary},
    Row{"Selu", Kind::kUnary},
    Row{"Celu", Kind::kUnary},
    Row{"Softplus", Kind::kUnary},
    Row{"Softsign", Kind::kUnary},
    Row{"Gelu", Kind::kUnary},
    Row{"Mish", Kind::kUnary},
    Row{"Erf", Kind::kUnary},
    Row{"Exp", Kind::kUnary},
    Row{"Log", Kind::kUnary},
    Row{"Sqrt", Kind::kUnary},
    Row{"Reciprocal", Kind::kUnary},
    Row{"Abs", Kind::kUnary},
    Row{"Neg", Kind::kUnary},
    Row{"Floor", Kind::kUnary},
    Row{"Ceil", Kind::kUnary},
    Row{"Round", Kind::kUnary},
    Row{"Sign", Kind::kUnary},
    Row{"Not", Kind::kUnary},
    Row{"Clip", Kind::kUnary},
    Row{"Cast", Kind::kUnary},
    Row{"Identity", Kind::kUnary},
    Row{"QuantizeLinear", Kind::kUnary},
    Row{"DequantizeLinear", Kind::kUnary},
    Row{"Add", Kind::kElementwise},
    Row{"Sub", Kind::kElementwise},
    Row{"Mul", Kind::kElementwise},
    Row{"Div", Kind::kElementwise},
    Row{"Pow", Kind::kElementwise},
    Row{"Min", Kind::kElementwise},
    Row{"Max", Kind::kElementwise},
    Row{"Sum", Kind::kElementwise},
    Row{"Mean", Kind::kElementwise},
    Row{"PRelu", Kind::kElementwise},
    Row{"Equal", Kind::kElementwise},
    Row{"Less", Kind::kElementwise},
    Row{"Greater", Kind::kElementwise},
    Row{"LessOrEqual", Kind::kElementwise},
    Row{"GreaterOrEqual", Kind::kElementwise},
    Row{"And", Kind::kElementwise},
    Row{"Or", Kind::kElementwise},
    Row{"Xor", Kind::kElementwise},
    Row{"Where", Kind::kElementwise},
    Row{"Concat", Kind::kConcat},
    Row{"Softmax", Kind::kSoftmax},
    Row{"LogSoftmax", Kind::kSoftmax},
    Row{"ReduceMean", Kind::kReduce},
    Row{"ReduceSum", Kind::kReduce},
    Row{"ReduceMax", Kind::kReduce},
    Row{"ReduceMin", Kind::kReduce},
    Row{"ReduceL2", Kind::kReduce},
    Row{"Squeeze", Kind::kSqueeze},
    Row{"Slice", Kind::kSlice},
    Row{"Pad", Kind::kPad},
    Row{"Split", Kind::kSplit},
};

Kind kind_of(const model::Node& node) {
  const auto row =
      std::find_if(kRows.begin(), kRows.end(), [&](const Row& entry) { return node.is(entry.op); });
  return row == kRows.end() ? Kind::kNone : row->kind;
}

/// The attribute or the int64 constant that holds axes; absent if there is neither.
std::optional<std::vector<int64_t>> list_of(const GraphEditor& graph, const model::Node& node,
                                            std::string_view attribute, size_t slot) {
  if (node.attribute(attribute)) return node.ints_or_empty(attribute);
  if (node.inputs.size() <= slot) return std::nullopt;
  const model::Constant* constant = graph.constant(node.inputs[slot]);
  if (!constant || constant->type != DataType::kInt64) return std::nullopt;
  return integer_values(*constant);
}

size_t axes_slot(const model::Node& node) { return node.is("Slice") ? 3 : 1; }

/// Axes counted from the front, in the node's order.
std::optional<std::vector<int64_t>> axes_of(const GraphEditor& graph, const model::Node& node,
                                            size_t rank) {
  auto axes = list_of(graph, node, "axes", axes_slot(node));
  if (!axes || axes->empty()) return std::nullopt;
  for (int64_t& axis : *axes) {
    if (axis < 0) axis += static_cast<int64_t>(rank);
    if (axis < 0 || axis >= static_cast<int64_t>(rank)) return std::nullopt;
  }
  return axes;
}

int64_t axis_of(const model::Node& node, size_t rank) {
  const int64_t fallback = kind_of(node) == Kind::kSoftmax ? -1 : 0;
  const int64_t axis = node.int_or("axis", fallback);
  return axis < 0 ? axis + static_cast<int64_t>(rank) : axis;
}

bool others_are_numbers(const GraphEditor& graph, const model::Node& node) {
  return std::all_of(node.inputs.begin() + 1, node.inputs.end(), [&](const std::string& value) {
    const model::Constant* constant = graph.constant(value);
    return value.empty() || (constant && constant->element_count() == 1);
  });
}

std::vector<size_t> all_slots(const model::Node& node) {
  std::vector<size_t> slots(node.inputs.size());
  std::iota(slots.begin(), slots.end(), size_t{0});
  return slots;
}

std::optional<Passage> through_reduction(const GraphEditor& graph, const model::Node& node,
                                         const Permutation& permutation) {
  auto axes = axes_of(graph, node, permutation.size());
  if (!axes) return std::nullopt;
  std::sort(axes->begin(), axes->end());
  const bool keeps = kind_of(node) == Kind::kReduce && node.int_or("keepdims", 1) != 0;
  return Passage{{0}, keeps ? permutation : without_axes(permutation, *axes)};
}

/// Softmax along the last axis is one pass over memory; along another it is transposed inside.
std::optional<Passage> through_softmax(const model::Node& node, const Permutation& permutation) {
  const auto axis = static_cast<size_t>(axis_of(node, permutation.size()));
  if (axis >= permutation.size()) return std::nullopt;
  const auto last = static_cast<int64_t>(permutation.size()) - 1;
  const bool leaves = static_cast<int64_t>(axis) == last && permutation[axis] != last;
  return Passage{{0}, permutation, leaves ? 2.0 : 0.0};
}

bool pads_are_known(const GraphEditor& graph, const model::Node& node, size_t rank) {
  const bool names_axes = node.inputs.size() > 3 && !node.inputs[3].empty();
  const auto pads = list_of(graph, node, "pads", 1);
  return !names_axes && pads && pads->size() == 2 * rank;
}

void set_list(GraphEditor& graph, model::Node& node, const std::string& attribute,
              const std::vector<int64_t>& values) {
  if (node.attribute(attribute)) {
    node.set_attribute(attribute, values);
    return;
  }
  const size_t slot = attribute == "axes" ? axes_slot(node) : 1;
  const model::Constant constant =
      model::make_int64_constant("", {static_cast<int64_t>(values.size())}, values);
  graph.set_input(node, slot,
                  graph.add_constant(node.inputs[slot] + "_permuted", constant.tensor()));
}

void adapt_pads(GraphEditor& graph, model::Node& node, const Permutation& permutation) {
  const std::vector<int64_t> pads = *list_of(graph, node, "pads", 1);
  std::vector<int64_t> adapted(pads.size());
  for (size_t axis = 0; axis < permutation.size(); ++axis) {
    const auto target = static_cast<size_t>(permutation[axis]);
    adapted[target] = pads[axis];
    adapted[target + permutation.size()] = pads[axis + permutation.size()];
  }
  set_list(graph, node, "pads", adapted);
}

}  // namespace

std::optional<Passage> passage(const GraphEditor& graph, const model::Node& node, size_t slot,
                               const Permutation& permutation) {
  const size_t rank = permutation.size();
  const Kind kind = kind_of(node);
  if (kind == Kind::kElementwise || kind == Kind::kConcat) {
    return Passage{all_slots(node), permutation};
  }
  if (slot != 0) return std::nullopt;
  switch (kind) {
    case Kind::kUnary:
      if (!others_are_numbers(graph, node)) return std::nullopt;
      return Passage{{0}, permutation};
    case Kind::kSoftmax:
      return through_softmax(node, permutation);
    case Kind::kReduce:
    case Kind::kSqueeze:
      return through_reduction(graph, node, permutation);
    case Kind::kSlice:
      if (!axes_of(graph, node, rank)) return std::nullopt;
      return Passage{{0}, permutation};
    case Kind::kPad:
      if (!pads_are_known(graph, node, rank)) return std::nullopt;
      return Passage{{0}, permutation};
    case Kind::kSplit:
      return Passage{{0}, permutation};
    default:
      return std::nullopt;
  }
}

void adapt_axes(GraphEditor& graph, model::Node& node, const Permutation& permutation) {
  const auto moved = [&](int64_t axis) { return permutation[static_cast<size_t>(axis)]; };
  switch (kind_of(node)) {
    case Kind::kConcat:
    case Kind::kSoftmax:
    case Kind::kSplit:
      node.set_attribute("axis", moved(axis_of(node, permutation.size())));
      break;
    case Kind::kReduce:
    case Kind::kSqueeze:
    case Kind::kSlice: {
      std::vector<int64_t> axes = *axes_of(graph, node, permutation.size());
      std::transform(axes.begin(), axes.end(), axes.begin(), moved);
      set_list(graph, node, "axes", axes);
      break;
    }
    case Kind::kPad:
      adapt_pads(graph, node, permutation);
      break;
    default:
      break;
  }
}

}  // namespace wattwise::optimize
