// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/half.h"
#include "optimize/opset_adapters.h"

namespace wattwise::optimize {
namespace {

/// Operators that make what they read; enough to find the type of a value of which the runtime told
/// nothing, as in branches that it never takes.
constexpr auto kSameType = std::to_array<std::string_view>({"Abs",
                                                            "Add",
                                                            "AveragePool",
                                                            "BatchNormalization",
                                                            "Clip",
                                                            "Concat",
                                                            "Conv",
                                                            "ConvTranspose",
                                                            "Div",
                                                            "Dropout",
                                                            "Elu",
                                                            "Erf",
                                                            "Exp",
                                                            "Expand",
                                                            "Flatten",
                                                            "Floor",
                                                            "Gather",
                                                            "Gemm",
                                                            "GlobalAveragePool",
                                                            "HardSigmoid",
                                                            "Identity",
                                                            "InstanceNormalization",
                                                            "LeakyRelu",
                                                            "Log",
                                                            "MatMul",
                                                            "Max",
                                                            "MaxPool",
                                                            "Min",
                                                            "Mul",
                                                            "Neg",
                                                            "PRelu",
                                                            "Pad",
                                                            "Pow",
                                                            "ReduceMax",
                                                            "ReduceMean",
                                                            "ReduceSum",
                                                            "Relu",
                                                            "Reshape",
                                                            "Resize",
                                                            "Selu",
                                                            "Sigmoid",
                                                            "Slice",
                                                            "Softmax",
                                                            "Softplus",
                                                            "Split",
                                                            "Sqrt",
                                                            "Squeeze",
                                                            "Sub",
                                                            "Sum",
                                                            "Tanh",
                                                            "Tile",
                                                            "Transpose",
                                                            "Unsqueeze",
                                                            "Upsample"});

template <typename T>
Tensor make_number(DataType type, const T& value) {
  return Tensor{type, {}, Bytes::copy_of(std::span(&value, 1)), {}};
}

/// As many axes as stand behind the channels: [1, 2, ..].
std::vector<int64_t> axes_behind_channels(int64_t rank) {
  std::vector<int64_t> axes;
  for (int64_t axis = 2; axis < rank; ++axis) axes.push_back(axis - 1);
  return axes;
}

}  // namespace

Error no_form(std::string why) { return {ErrorCode::kUnsupported, std::move(why)}; }

void drop_attribute(model::Node& node, std::string_view name) {
  std::erase_if(node.attributes,
                [&](const model::Attribute& attribute) { return attribute.name == name; });
}

/// Puts a value at an input, with empty ones before it where there are none.
void put_input(const AdapterContext& context, model::Node& node, size_t slot,
               const std::string& value) {
  std::vector<std::string> inputs = node.inputs;
  if (inputs.size() <= slot) inputs.resize(slot + 1);
  inputs[slot] = value;
  context.graph.set_inputs(node, std::move(inputs));
}

DataType type_of(const GraphEditor& graph, const std::string& value, const ShapeFacts& facts) {
  std::string name = value;
  const GraphEditor* scope = &graph;
  while (scope) {
    if (const DataType known = facts.type(name); known != DataType::kUndefined) return known;
    if (const model::Constant* constant = scope->constant(name)) return constant->type;
    const model::Node* node = scope->producer(name);
    if (!node) {
      scope = scope->parent();
    } else if (node->is("Cast")) {
      return static_cast<DataType>(node->int_or("to", 0));
    } else if (node->is_one_of(kSameType)) {
      name = node->inputs[0];
    } else {
      break;
    }
  }
  return DataType::kUndefined;
}

Result<Tensor> number_like_input(const AdapterContext& context, const model::Node& node,
                                 double value) {
  const DataType type = type_of(context.graph, node.inputs[0], context.facts);
  if (type == DataType::kFloat) return make_number(type, static_cast<float>(value));
  if (type == DataType::kDouble) return make_number(type, value);
  if (type == DataType::kFloat16) return make_number(type, to_half(static_cast<float>(value)));
  return no_form(fmt::format("it needs a number of the type {} of {}, which is not offered",
                             data_type_name(type), node.inputs[0]));
}

bool reads_output(const AdapterContext& context, const model::Node& node, size_t slot) {
  return slot < node.outputs.size() && !node.outputs[slot].empty() &&
         context.graph.uses(node.outputs[slot]) > 0;
}

void drop_inputs_from(const AdapterContext& context, model::Node& node, size_t slot) {
  std::vector<std::string> inputs = node.inputs;
  if (inputs.size() > slot) inputs.resize(slot);
  context.graph.set_inputs(node, std::move(inputs));
}

Result<std::optional<std::vector<int64_t>>> given_integers(const AdapterContext& context,
                                                           const model::Node& node, size_t slot) {
  if (!has_input(node, slot)) return std::optional<std::vector<int64_t>>();
  auto values = integers_at(context.graph, node, slot);
  if (!values) return no_form(node.inputs[slot] + ", an attribute there, is computed");
  return values;
}

Result<int64_t> known_rank(const AdapterContext& context, const model::Node& node) {
  const auto rank = context.facts.rank(node.inputs[0]);
  if (!rank) return no_form("the rank of " + node.inputs[0] + " is not known");
  return *rank;
}

Result<void> spell_out_group_norm(const AdapterContext& context, model::Node& node,
                                  bool for_channels) {
  GraphEditor& graph = context.graph;
  const std::string output = node.outputs[0];
  const std::string x = node.inputs[0];
  const int64_t groups = node.int_or("num_groups", 0);
  const auto rank = context.facts.rank(x);
  if (for_channels && !rank) return no_form("the rank of " + x + " is not known");
  const auto make = [&](const char* op, std::vector<std::string> inputs) {
    std::string made = graph.unique(output + "_" + op);
    graph.add(make_node(op, std::move(inputs), made));
    return made;
  };
  const std::string shape = make("Shape", {x});
  const std::array<int64_t, 3> grouped = {0, groups, -1};
  const std::string rows =
      make("Reshape", {x, graph.add_constant(output + "_groups", make_int64_tensor({3}, grouped))});
  std::vector<std::string> factors = {node.inputs[1], node.inputs[2]};
  if (for_channels) {
    // Normalized without a scale, which follows.
    for (const double value : {1.0, 0.0}) {
      Tensor number = WATTWISE_TRY(number_like_input(context, node, value));
      std::string all;
      for (int64_t i = 0; i < groups; ++i) all += number.data.as_text();
      number.shape = {groups};
      number.data = Bytes::own(std::move(all));
      factors[value == 1 ? 0 : 1] = graph.add_constant(output + "_neutral", number);
    }
  }
  const std::string normal = graph.unique(output + "_normal");
  graph.add(make_node("InstanceNormalization", {rows, factors[0], factors[1]}, normal))
      .set_attribute("epsilon", node.float_or("epsilon", 1e-5F));
  const std::string scale = node.inputs[1];
  const std::string shift = node.inputs[2];
  graph.remove(node);
  if (!for_channels) {
    graph.add(make_node("Reshape", {normal, shape}, output));
    return {};
  }
  const auto behind = axes_behind_channels(*rank);
  const std::string axes = graph.add_constant(
      output + "_axes", make_int64_tensor({static_cast<int64_t>(behind.size())}, behind));
  const std::string scaled =
      make("Mul", {make("Reshape", {normal, shape}), make("Unsqueeze", {scale, axes})});
  graph.add(make_node("Add", {scaled, make("Unsqueeze", {shift, axes})}, output));
  return {};
}

}  // namespace wattwise::optimize
