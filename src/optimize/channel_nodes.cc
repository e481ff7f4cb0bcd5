// SPDX-License-Identifier: Apache-2.0
#include "optimize/channel_nodes.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace wattwise::optimize {
namespace {

constexpr std::array<std::string_view, 9> kZeroKeepingMaps = {
    "Relu", "LeakyRelu", "Tanh", "Elu", "Abs", "Neg", "HardSwish", "Sqrt", "Identity"};
constexpr std::array<std::string_view, 2> kOtherMaps = {"Sigmoid", "HardSigmoid"};
constexpr std::array<std::string_view, 4> kPools = {"MaxPool", "AveragePool", "GlobalAveragePool",
                                                    "GlobalMaxPool"};

bool is_float_constant(const model::Constant* constant) {
  return constant && constant->type == DataType::kFloat;
}

std::optional<ChannelNode> conv_node(const GraphEditor& graph, model::Node& node) {
  const model::Constant* weight = graph.constant(node.inputs[1]);
  if (!is_float_constant(weight) || weight->shape.size() != 4) return std::nullopt;
  const bool has_bias = node.inputs.size() > 2 && !node.inputs[2].empty();
  if (has_bias && !is_float_constant(graph.constant(node.inputs[2]))) return std::nullopt;
  const int64_t group = node.int_or("group", 1);
  const bool depthwise = group > 1 && weight->shape[0] == group && weight->shape[1] == 1;
  if (group != 1 && !depthwise) return std::nullopt;
  return ChannelNode{
      &node, depthwise ? ChannelRole::kDepthwise : ChannelRole::kConv, {node.inputs[0]}, {}};
}

bool clip_keeps_zero(const GraphEditor& graph, const model::Node& node) {
  const auto bound = [&](size_t slot, const char* name) -> std::optional<float> {
    if (node.attribute(name)) return node.float_or(name, 0);
    if (node.inputs.size() <= slot || node.inputs[slot].empty()) return 0.0F;
    return scalar_value(graph.constant(node.inputs[slot]));
  };
  const auto low = bound(1, "min");
  const auto high = bound(2, "max");
  return low && high && *low <= 0 && *high >= 0;
}

bool is_product(const model::Node& node) { return node.is("Mul"); }

/// Sums, products and PRelu: every operand is a value with the same channels, a constant with a
/// value per channel, or a single number.
std::optional<ChannelNode> join_node(const GraphEditor& graph, const model::ShapeTable& shapes,
                                     model::Node& node) {
  ChannelNode made{&node, ChannelRole::kMap, {}, {}};
  made.any_zero_suffices = is_product(node);
  const auto channels = channels_of(shapes, node.outputs[0]);
  for (size_t slot = 0; slot < node.inputs.size(); ++slot) {
    const model::Constant* constant = graph.constant(node.inputs[slot]);
    if (!constant) {
      made.data.push_back(node.inputs[slot]);
      if (channels_of(shapes, node.inputs[slot]) != channels) return std::nullopt;
      continue;
    }
    if (!is_float_constant(constant)) return std::nullopt;
    const size_t rank = constant->shape.size();
    if (rank >= 3 && rank <= 4 && constant->shape[rank - 3] == channels && channels > 1) {
      made.per_channel.push_back(slot);
    } else if (constant->element_count() != 1) {
      return std::nullopt;
    } else if (!is_product(node) && !node.is("PRelu")) {
      made.keeps_zero = false;
    }
  }
  return made.data.empty() ? std::nullopt : std::optional(made);
}

bool is_zero(const GraphEditor& graph, const std::string& value) {
  if (const model::Constant* constant = graph.constant(value)) {
    if (!is_float_constant(constant)) return false;
    const std::vector<float> values = float_values(*constant);
    return std::all_of(values.begin(), values.end(), [](float v) { return v == 0; });
  }
  const model::Node* node = graph.producer_if(value, "ConstantOfShape");
  if (!node) return false;
  const model::Attribute* fill = node->attribute("value");
  if (!fill) return true;
  const auto* tensor = std::get_if<std::shared_ptr<model::Constant>>(&fill->value);
  return tensor && scalar_value(tensor->get()) == 0.0F;
}

std::optional<std::vector<int64_t>> pads_of(const GraphEditor& graph, const model::Node& node) {
  if (node.attribute("pads")) return node.ints_or_empty("pads");
  if (node.inputs.size() < 2) return std::nullopt;
  const model::Constant* pads = graph.constant(node.inputs[1]);
  return pads ? integer_values(*pads) : std::nullopt;
}

bool pads_zero_channels(const GraphEditor& graph, const model::Node& node) {
  if (node.string_or("mode", "constant") != "constant" || node.float_or("value", 0) != 0) {
    return false;
  }
  if (node.inputs.size() > 3 && !node.inputs[3].empty()) return false;
  if (node.inputs.size() > 2 && !node.inputs[2].empty() &&
      scalar_value(graph.constant(node.inputs[2])) != 0.0F) {
    return false;
  }
  const auto pads = pads_of(graph, node);
  return pads && pads->size() == 8 && (*pads)[5] > 0 &&
         std::count(pads->begin(), pads->end(), 0) == 7;
}

bool appends_zeros(const GraphEditor& graph, const model::Node& node) {
  if (node.is("Pad")) return pads_zero_channels(graph, node);
  const int64_t axis = node.int_or("axis", 1);
  return node.is("Concat") && node.inputs.size() == 2 && (axis == 1 || axis == -3) &&
         !graph.constant(node.inputs[0]) && is_zero(graph, node.inputs[1]);
}

std::optional<ChannelNode> read_any_node(const GraphEditor& graph, const model::ShapeTable& shapes,
                                         model::Node& node) {
  ChannelNode made{&node, ChannelRole::kMap, {node.inputs[0]}, {}};
  if (node.is("Conv")) return conv_node(graph, node);
  if (node.is_one_of(kZeroKeepingMaps)) return made;
  if (node.is_one_of(kPools)) {
    made.role = ChannelRole::kPool;
    return made;
  }
  if (node.is_one_of(kOtherMaps) || node.is("Clip")) {
    made.keeps_zero = node.is("Clip") && clip_keeps_zero(graph, node);
    return made;
  }
  if (appends_zeros(graph, node)) {
    made.role = ChannelRole::kWiden;
    return made;
  }
  if (node.is("Add") || node.is("Mul") || node.is("Sub") || node.is("Sum") || node.is("PRelu")) {
    return join_node(graph, shapes, node);
  }
  return std::nullopt;
}

}  // namespace

std::optional<int64_t> channels_of(const model::ShapeTable& shapes, const std::string& value) {
  const auto it = shapes.find(value);
  if (it == shapes.end() || it->second.type != DataType::kFloat) return std::nullopt;
  const std::vector<int64_t>& shape = it->second.shape;
  if (shape.size() != 4 || shape[1] <= 0) return std::nullopt;
  return shape[1];
}

std::optional<ChannelNode> channel_node(const GraphEditor& graph, const model::ShapeTable& shapes,
                                        model::Node& node) {
  if (node.inputs.empty() || node.inputs[0].empty() || node.outputs.size() != 1) {
    return std::nullopt;
  }
  if (!channels_of(shapes, node.outputs[0])) return std::nullopt;
  auto made = read_any_node(graph, shapes, node);
  if (!made) return std::nullopt;
  const auto unknown = [&](const std::string& value) { return !channels_of(shapes, value); };
  if (std::any_of(made->data.begin(), made->data.end(), unknown)) return std::nullopt;
  return made;
}

}  // namespace wattwise::optimize
