// SPDX-License-Identifier: Apache-2.0
#include "engine/hollow.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "model/graph_edit.h"
#include "model/walk.h"

namespace wattwise::engine {
namespace {

/// Constants of this size cannot be shapes, axes or scales: inference needs only their type and
/// shape.
constexpr size_t kWeightBytes = 4096;
/// First operator set with ConstantOfShape.
constexpr int64_t kConstantOfShapeOpset = 9;

bool is_weight(const model::Constant& constant) {
  switch (constant.type) {
    case DataType::kFloat:
    case DataType::kDouble:
    case DataType::kFloat16:
    case DataType::kInt8:
    case DataType::kUint8:
      return constant.data.size() >= kWeightBytes;
    default:
      return false;
  }
}

/// `Constant(shape) -> ConstantOfShape`: a value of the same type and shape without any weights.
void append_hollow(const model::Constant& constant, const std::string& name, int index,
                   std::vector<model::Node>& nodes) {
  const std::string shape_name = fmt::format("wattwise_shape_{}_{}", index, name);
  const auto rank = static_cast<int64_t>(constant.shape.size());
  model::Node shape;
  shape.op_type = "Constant";
  shape.outputs = {shape_name};
  shape.set_attribute("value", std::make_shared<model::Constant>(
                                   model::make_int64_constant("", {rank}, constant.shape)));
  model::Constant zero;
  zero.type = constant.type;
  zero.shape = {1};
  zero.data = Bytes::own(
      std::vector<std::byte>(static_cast<size_t>(data_type_bits(constant.type).value_or(8)) / 8));
  model::Node hollow;
  hollow.op_type = "ConstantOfShape";
  hollow.inputs = {shape_name};
  hollow.outputs = {name};
  hollow.set_attribute("value", std::make_shared<model::Constant>(std::move(zero)));
  nodes.push_back(std::move(shape));
  nodes.push_back(std::move(hollow));
}

void hollow_out(model::Graph& graph, int& index) {
  std::vector<model::Node> nodes;
  std::erase_if(graph.initializers, [&](const model::Constant& constant) {
    if (is_fed(graph, constant) || !is_weight(constant)) return false;
    append_hollow(constant, constant.name, index++, nodes);
    return true;
  });
  for (model::Node& node : graph.nodes) {
    const auto* value =
        node.is("Constant") && !node.attributes.empty()
            ? std::get_if<std::shared_ptr<model::Constant>>(&node.attributes[0].value)
            : nullptr;
    if (value && is_weight(**value)) {
      append_hollow(**value, node.outputs[0], index++, nodes);
    } else {
      nodes.push_back(std::move(node));
    }
  }
  graph.nodes = std::move(nodes);
}

/// Zeros of which no page is taken until it is written, and none ever is.
Result<Bytes> untouched_zeros(size_t count) {
  const std::shared_ptr<void> owner(std::calloc(count, 1), std::free);
  if (!owner) return Error(ErrorCode::kExhausted, "there is no memory for zeros");
  return Bytes(owner, {static_cast<const std::byte*>(owner.get()), count});
}

/// Makes inputs of the graph's weights and returns them.
std::vector<model::Constant> take_weights(model::Graph& graph) {
  const auto is_output = [&](const model::Constant& constant) {
    return std::any_of(graph.outputs.begin(), graph.outputs.end(),
                       [&](const auto& output) { return output.name == constant.name; });
  };
  std::vector<model::Constant> weights;
  std::erase_if(graph.initializers, [&](const model::Constant& constant) {
    if (is_fed(graph, constant) || !is_weight(constant) || is_output(constant)) return false;
    weights.push_back(constant);
    return true;
  });
  for (const model::Constant& weight : weights)
    graph.inputs.push_back(sized_value(weight.name, weight.type, weight.shape));
  return weights;
}

}  // namespace

model::Value sized_value(std::string name, DataType type, const std::vector<int64_t>& shape) {
  model::Value value;
  value.name = std::move(name);
  value.type = type;
  value.shape.emplace();
  for (const int64_t size : shape) value.shape->push_back({size, {}, {}});
  return value;
}

bool is_fed(const model::Graph& graph, const model::Constant& constant) {
  return std::any_of(graph.inputs.begin(), graph.inputs.end(),
                     [&](const auto& input) { return input.name == constant.name; });
}

model::Model make_hollow(const model::Model& model) {
  model::Model hollow = model::clone(model);
  if (model.opset("") < kConstantOfShapeOpset) return hollow;
  int index = 0;
  model::for_each_graph(hollow.graph,
                        [&](model::Graph& graph, const std::string&) { hollow_out(graph, index); });
  return hollow;
}

Result<FedModel> feed_zeros(const model::Model& model) {
  FedModel fed{model::clone(model), {}};
  if (model.opset("") < kConstantOfShapeOpset) return fed;
  const std::vector<model::Constant> weights = take_weights(fed.model.graph);
  fed.model = make_hollow(fed.model);
  size_t largest = 1;
  for (const model::Constant& weight : weights) largest = std::max(largest, weight.data.size());
  const Bytes zeros = WATTWISE_TRY(untouched_zeros(largest));
  for (const model::Constant& weight : weights) {
    fed.zeros[weight.name] = {weight.type, weight.shape, zeros.slice(0, weight.data.size()), {}};
  }
  return fed;
}

}  // namespace wattwise::engine
