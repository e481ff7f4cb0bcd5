// SPDX-License-Identifier: Apache-2.0
#include "optimize/line_nodes.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "optimize/shape_facts.h"

namespace wattwise::optimize {
namespace {

constexpr int64_t kLineRank = 3;

enum class LineKind { kConv, kPool, kGlobalPool, kMap, kJoin, kConcat, kSlice };

struct LineRow {
  std::string_view op;
  LineKind kind;
  bool stays_blocked;
};

constexpr std::array kLineRows = {
    LineRow{"Conv", LineKind::kConv, true},
    LineRow{"MaxPool", LineKind::kPool, true},
    LineRow{"AveragePool", LineKind::kPool, true},
    LineRow{"GlobalMaxPool", LineKind::kGlobalPool, true},
    LineRow{"GlobalAveragePool", LineKind::kGlobalPool, true},
    LineRow{"Relu", LineKind::kMap, true},
    LineRow{"Sigmoid", LineKind::kMap, true},
    LineRow{"Tanh", LineKind::kMap, true},
    LineRow{"HardSigmoid", LineKind::kMap, true},
    LineRow{"LeakyRelu", LineKind::kMap, true},
    LineRow{"Clip", LineKind::kMap, true},
    LineRow{"Add", LineKind::kJoin, true},
    LineRow{"Sum", LineKind::kJoin, true},
    LineRow{"Mul", LineKind::kJoin, true},
    LineRow{"Concat", LineKind::kConcat, true},
    LineRow{"Slice", LineKind::kSlice, false},
    LineRow{"Elu", LineKind::kMap, false},
    LineRow{"Selu", LineKind::kMap, false},
    LineRow{"HardSwish", LineKind::kMap, false},
    LineRow{"Gelu", LineKind::kMap, false},
    LineRow{"Erf", LineKind::kMap, false},
    LineRow{"Exp", LineKind::kMap, false},
    LineRow{"Log", LineKind::kMap, false},
    LineRow{"Sqrt", LineKind::kMap, false},
    LineRow{"Sin", LineKind::kMap, false},
    LineRow{"Abs", LineKind::kMap, false},
    LineRow{"Neg", LineKind::kMap, false},
    LineRow{"Sub", LineKind::kJoin, false},
    LineRow{"Div", LineKind::kJoin, false},
    LineRow{"Pow", LineKind::kJoin, false},
    LineRow{"Max", LineKind::kJoin, false},
    LineRow{"Min", LineKind::kJoin, false},
    LineRow{"PRelu", LineKind::kJoin, false},
};

const LineRow* find_row(const model::Node& node) {
  const auto it = std::find_if(kLineRows.begin(), kLineRows.end(),
                               [&](const LineRow& row) { return node.is(row.op); });
  return it == kLineRows.end() ? nullptr : &*it;
}

/// What the blocked layout saves, measured with single convolutions and chains of 16 to 256
/// channels on lines of 1 to 512 places (ONNX Runtime 1.32, one thread, AVX-512): with windows of
/// one place the matrix product is as fast; a depthwise channel saves what kDepthwise weights do.
int64_t conv_gain(const model::Node& conv, const model::Constant& weight, int64_t block) {
  constexpr int64_t kDepthwise = 1000;
  constexpr int64_t kChannelAlignment = 4;  // of channels that the layout reads
  const int64_t out = weight.shape[0];
  const int64_t in = weight.shape[1];
  const int64_t group = conv.int_or("group", 1);
  if (group > 1)
    return in == 1 && out == group && out % kChannelAlignment == 0 ? out * kDepthwise : 0;
  const bool blocked = in >= block && in % kChannelAlignment == 0 && out >= block;
  return blocked && weight.shape[2] > 1 ? in * out * weight.shape[2] : 0;
}

std::optional<LineNode> conv_node(const GraphEditor& graph, LineNode made, int64_t block) {
  const model::Node& node = *made.node;
  const model::Constant* weight = node.inputs.size() > 1 ? graph.constant(node.inputs[1]) : nullptr;
  if (!weight || weight->shape.size() != static_cast<size_t>(kLineRank)) return std::nullopt;
  made.data = {0};
  // The provider blocks only weights that lie in the same graph.
  const bool has_bias = has_input(node, 2);
  const bool local = graph.defines(node.inputs[1]) && (!has_bias || graph.defines(node.inputs[2]));
  if (local) made.gain = conv_gain(node, *weight, block);
  return made;
}

/// An operand that broadcasts alike with and without the row: along places only.
bool broadcasts_along_places(const model::ShapeTable& shapes, const std::string& value) {
  const auto it = shapes.find(value);
  return it != shapes.end() && it->second.shape.size() <= 1;
}

std::optional<LineNode> join_node(const GraphEditor& graph, const model::ShapeTable& shapes,
                                  LineNode made) {
  const model::Node& node = *made.node;
  for (size_t slot = 0; slot < node.inputs.size(); ++slot) {
    const std::string& value = node.inputs[slot];
    if (value.empty()) continue;
    if (const model::Constant* constant = graph.constant(value)) {
      if (constant->shape.size() > static_cast<size_t>(kLineRank)) return std::nullopt;
      made.stays_blocked = false;
    } else if (is_line(shapes, value)) {
      made.data.push_back(slot);
    } else if (broadcasts_along_places(shapes, value)) {
      made.stays_blocked = false;
    } else {
      return std::nullopt;
    }
  }
  return made.data.empty() ? std::nullopt : std::optional(std::move(made));
}

std::optional<LineNode> concat_node(const model::ShapeTable& shapes, LineNode made) {
  const model::Node& node = *made.node;
  for (size_t slot = 0; slot < node.inputs.size(); ++slot) {
    if (!is_line(shapes, node.inputs[slot])) return std::nullopt;
    made.data.push_back(slot);
  }
  made.stays_blocked = from_start(node.int_or("axis", 1), kLineRank) == 1;
  return made;
}

/// A slice of axes that come before the row.
bool spares_places(const GraphEditor& graph, const model::Node& node) {
  const auto axes = integers_of(graph, node, "axes", 3);
  return axes && std::all_of(axes->begin(), axes->end(),
                             [](int64_t axis) { return axis == 0 || axis == 1; });
}

void insert_front(model::Node& node, std::string_view attribute) {
  if (!node.attribute(attribute)) return;
  std::vector<int64_t> values = node.ints_or_empty(attribute);
  values.insert(values.begin(), 1);
  node.set_attribute(std::string(attribute), std::move(values));
}

void add_row_to_window(model::Node& node) {
  for (const char* attribute : {"kernel_shape", "strides", "dilations"}) {
    insert_front(node, attribute);
  }
  const std::vector<int64_t> pads = node.ints_or_empty("pads");
  if (pads.size() == 2) node.set_attribute("pads", std::vector<int64_t>{0, pads[0], 0, pads[1]});
}

/// The constant with an axis of one in front of its last.
void add_row_to_constant(GraphEditor& graph, model::Node& node, size_t slot) {
  const model::Constant* constant = graph.constant(node.inputs[slot]);
  if (!constant || constant->shape.size() < 2) return;
  Tensor tensor = constant->tensor_as_stored();
  tensor.shape.insert(tensor.shape.end() - 1, 1);
  graph.set_input(node, slot, graph.add_constant(node.inputs[slot] + "_row", tensor));
}

}  // namespace

bool is_line(const model::ShapeTable& shapes, const std::string& value) {
  const auto it = shapes.find(value);
  return it != shapes.end() && it->second.type == DataType::kFloat &&
         it->second.shape.size() == static_cast<size_t>(kLineRank);
}

std::optional<LineNode> line_node(const GraphEditor& graph, const model::ShapeTable& shapes,
                                  model::Node& node, int64_t block) {
  const LineRow* row = find_row(node);
  if (!row || node.inputs.empty() || node.outputs.size() != 1) return std::nullopt;
  if (!is_line(shapes, node.outputs[0])) return std::nullopt;
  LineNode made{&node, {}, row->stays_blocked, 0};
  switch (row->kind) {
    case LineKind::kJoin:
      return join_node(graph, shapes, std::move(made));
    case LineKind::kConcat:
      return concat_node(shapes, std::move(made));
    default:
      break;
  }
  if (!is_line(shapes, node.inputs[0])) return std::nullopt;
  if (row->kind == LineKind::kSlice && !spares_places(graph, node)) return std::nullopt;
  if (row->kind == LineKind::kConv) return conv_node(graph, std::move(made), block);
  made.data = {0};
  return made;
}

void add_row_axis(GraphEditor& graph, const LineNode& line) {
  model::Node& node = *line.node;
  switch (find_row(node)->kind) {
    case LineKind::kConv:
      add_row_to_window(node);
      add_row_to_constant(graph, node, 1);
      break;
    case LineKind::kPool:
      add_row_to_window(node);
      break;
    case LineKind::kJoin:
      for (size_t slot = 0; slot < node.inputs.size(); ++slot) {
        add_row_to_constant(graph, node, slot);
      }
      break;
    case LineKind::kConcat:
      if (from_start(node.int_or("axis", 1), kLineRank) == kLineRank - 1) {
        node.set_attribute("axis", kLineRank);
      }
      break;
    case LineKind::kGlobalPool:
    case LineKind::kMap:
    case LineKind::kSlice:
      break;
  }
}

}  // namespace wattwise::optimize
