// SPDX-License-Identifier: Apache-2.0
#include "optimize/passage.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>

namespace wattwise::optimize {
namespace {

enum class PassageKind {
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

struct PassageRow {
  std::string_view op;
  PassageKind kind;
};

constexpr std::array kPassageRows = {
    PassageRow{"Relu", PassageKind::kUnary},
    PassageRow{"LeakyRelu", PassageKind::kUnary},
    PassageRow{"Sigmoid", PassageKind::kUnary},
    PassageRow{"HardSigmoid", PassageKind::kUnary},
    PassageRow{"HardSwish", PassageKind::kUnary},
    PassageRow{"Tanh", PassageKind::kUnary},
    PassageRow{"Elu", PassageKind::kUnary},
    PassageRow{"Selu", PassageKind::kUnary},
    PassageRow{"Celu", PassageKind::kUnary},
    PassageRow{"Softplus", PassageKind::kUnary},
    PassageRow{"Softsign", PassageKind::kUnary},
    PassageRow{"Gelu", PassageKind::kUnary},
    PassageRow{"Mish", PassageKind::kUnary},
    PassageRow{"Erf", PassageKind::kUnary},
    PassageRow{"Exp", PassageKind::kUnary},
    PassageRow{"Log", PassageKind::kUnary},
    PassageRow{"Sqrt", PassageKind::kUnary},
    PassageRow{"Reciprocal", PassageKind::kUnary},
    PassageRow{"Abs", PassageKind::kUnary},
    PassageRow{"Neg", PassageKind::kUnary},
    PassageRow{"Floor", PassageKind::kUnary},
    PassageRow{"Ceil", PassageKind::kUnary},
    PassageRow{"Round", PassageKind::kUnary},
    PassageRow{"Sign", PassageKind::kUnary},
    PassageRow{"Not", PassageKind::kUnary},
    PassageRow{"Clip", PassageKind::kUnary},
    PassageRow{"Cast", PassageKind::kUnary},
    PassageRow{"Identity", PassageKind::kUnary},
    PassageRow{"QuantizeLinear", PassageKind::kUnary},
    PassageRow{"DequantizeLinear", PassageKind::kUnary},
    PassageRow{"Add", PassageKind::kElementwise},
    PassageRow{"Sub", PassageKind::kElementwise},
    PassageRow{"Mul", PassageKind::kElementwise},
    PassageRow{"Div", PassageKind::kElementwise},
    PassageRow{"Pow", PassageKind::kElementwise},
    PassageRow{"Min", PassageKind::kElementwise},
    PassageRow{"Max", PassageKind::kElementwise},
    PassageRow{"Sum", PassageKind::kElementwise},
    PassageRow{"Mean", PassageKind::kElementwise},
    PassageRow{"PRelu", PassageKind::kElementwise},
    PassageRow{"Equal", PassageKind::kElementwise},
    PassageRow{"Less", PassageKind::kElementwise},
    PassageRow{"Greater", PassageKind::kElementwise},
    PassageRow{"LessOrEqual", PassageKind::kElementwise},
    PassageRow{"GreaterOrEqual", PassageKind::kElementwise},
    PassageRow{"And", PassageKind::kElementwise},
    PassageRow{"Or", PassageKind::kElementwise},
    PassageRow{"Xor", PassageKind::kElementwise},
    PassageRow{"Where", PassageKind::kElementwise},
    PassageRow{"Concat", PassageKind::kConcat},
    PassageRow{"Softmax", PassageKind::kSoftmax},
    PassageRow{"LogSoftmax", PassageKind::kSoftmax},
    PassageRow{"ReduceMean", PassageKind::kReduce},
    PassageRow{"ReduceSum", PassageKind::kReduce},
    PassageRow{"ReduceMax", PassageKind::kReduce},
    PassageRow{"ReduceMin", PassageKind::kReduce},
    PassageRow{"ReduceL2", PassageKind::kReduce},
    PassageRow{"Squeeze", PassageKind::kSqueeze},
    PassageRow{"Slice", PassageKind::kSlice},
    PassageRow{"Pad", PassageKind::kPad},
    PassageRow{"Split", PassageKind::kSplit},
};

PassageKind kind_of(const model::Node& node) {
  const auto row = std::find_if(kPassageRows.begin(), kPassageRows.end(),
                                [&](const PassageRow& entry) { return node.is(entry.op); });
  return row == kPassageRows.end() ? PassageKind::kNone : row->kind;
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
  const int64_t fallback = kind_of(node) == PassageKind::kSoftmax ? -1 : 0;
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
  const bool keeps = kind_of(node) == PassageKind::kReduce && node.int_or("keepdims", 1) != 0;
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
  const PassageKind kind = kind_of(node);
  if (kind == PassageKind::kElementwise || kind == PassageKind::kConcat) {
    return Passage{all_slots(node), permutation};
  }
  if (slot != 0) return std::nullopt;
  switch (kind) {
    case PassageKind::kUnary:
      if (!others_are_numbers(graph, node)) return std::nullopt;
      return Passage{{0}, permutation};
    case PassageKind::kSoftmax:
      return through_softmax(node, permutation);
    case PassageKind::kReduce:
    case PassageKind::kSqueeze:
      return through_reduction(graph, node, permutation);
    case PassageKind::kSlice:
      if (!axes_of(graph, node, rank)) return std::nullopt;
      return Passage{{0}, permutation};
    case PassageKind::kPad:
      if (!pads_are_known(graph, node, rank)) return std::nullopt;
      return Passage{{0}, permutation};
    case PassageKind::kSplit:
      return Passage{{0}, permutation};
    default:
      return std::nullopt;
  }
}

void adapt_axes(GraphEditor& graph, model::Node& node, const Permutation& permutation) {
  const auto moved = [&](int64_t axis) { return permutation[static_cast<size_t>(axis)]; };
  switch (kind_of(node)) {
    case PassageKind::kConcat:
    case PassageKind::kSoftmax:
    case PassageKind::kSplit:
      node.set_attribute("axis", moved(axis_of(node, permutation.size())));
      break;
    case PassageKind::kReduce:
    case PassageKind::kSqueeze:
    case PassageKind::kSlice: {
      std::vector<int64_t> axes = *axes_of(graph, node, permutation.size());
      std::transform(axes.begin(), axes.end(), axes.begin(), moved);
      set_list(graph, node, "axes", axes);
      break;
    }
    case PassageKind::kPad:
      adapt_pads(graph, node, permutation);
      break;
    default:
      break;
  }
}

}  // namespace wattwise::optimize
