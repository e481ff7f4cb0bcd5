// SPDX-License-Identifier: Apache-2.0
#include "model/integer_inputs.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <unordered_map>
#include <utility>

#include "model/walk.h"

namespace wattwise::model {
namespace {

constexpr std::array<std::string_view, 6> kCopies = {"Identity", "Cast",      "Reshape",
                                                     "Squeeze",  "Unsqueeze", "Flatten"};

bool is_integer(const Value& input) {
  return input.type == DataType::kInt64 || input.type == DataType::kInt32;
}

bool is_one_integer(const Value& input) {
  return is_integer(input) && input.shape &&
         std::all_of(input.shape->begin(), input.shape->end(),
                     [](const Dimension& dim) { return dim.value == 1; });
}

/// Follows the values of some inputs through copies.
class Origins {
 public:
  template <typename Wanted>
  Origins(const Model& model, const Wanted& wanted) {
    for (const Value& input : model.graph.inputs) {
      if (wanted(input)) inputs_[input.name] = input.name;
    }
  }

  bool empty() const { return inputs_.empty(); }

  /// The input that the value copies; null for others.
  const std::string* find(const std::string& value) const {
    const auto it = inputs_.find(value);
    return it == inputs_.end() ? nullptr : &it->second;
  }

  /// Takes note of a node, in run order.
  void pass(const Node& node) {
    if (node.inputs.empty() || node.outputs.empty()) return;
    const std::string* input = find(node.inputs[0]);
    const bool copies = std::find(kCopies.begin(), kCopies.end(), node.op_type) != kCopies.end();
    if (input && copies) inputs_[node.outputs[0]] = std::string(*input);
  }

 private:
  std::unordered_map<std::string, std::string> inputs_;  ///< a value's name -> the input's
};

template <typename T>
std::optional<int64_t> first_as(const Constant& constant) {
  if (constant.data.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, constant.data.data(), sizeof value);
  return static_cast<int64_t>(value);
}

std::optional<int64_t> first_integer(const Constant& constant) {
  if (constant.type == DataType::kInt64) return first_as<int64_t>(constant);
  if (constant.type == DataType::kInt32) return first_as<int32_t>(constant);
  if (constant.type == DataType::kFloat) return first_as<float>(constant);
  return std::nullopt;
}

}  // namespace

std::map<std::string, int64_t> scalar_choices(const Model& model) {
  std::map<std::string, int64_t> choices;
  Origins origins(model, is_one_integer);
  if (origins.empty()) return choices;
  Model copy = model;  // the index may rewrite small constants
  const ConstantIndex constants(copy.graph);
  for_each_graph(std::as_const(copy.graph), [&](const Graph& graph, const std::string&) {
    for (const Node& node : graph.nodes) {
      origins.pass(node);
      if (!node.is("Equal") || node.inputs.size() != 2) continue;
      const std::string* first = origins.find(node.inputs[0]);
      const std::string* fed = first ? first : origins.find(node.inputs[1]);
      if (!fed) continue;
      const Constant* other = constants.find(graph, node.inputs[first ? 1 : 0]);
      const auto value = other ? first_integer(*other) : std::nullopt;
      if (value) choices.emplace(*fed, *value);
    }
  });
  return choices;
}

std::map<std::string, int64_t> index_limits(const Model& model) {
  std::map<std::string, int64_t> limits;
  Origins origins(model, is_integer);
  if (origins.empty()) return limits;
  Model copy = model;  // the index may rewrite small constants
  const ConstantIndex constants(copy.graph);
  for_each_graph(std::as_const(copy.graph), [&](const Graph& graph, const std::string&) {
    for (const Node& node : graph.nodes) {
      origins.pass(node);
      if (!node.is("Gather") || node.inputs.size() != 2 || node.int_or("axis", 0) != 0) continue;
      const std::string* fed = origins.find(node.inputs[1]);
      const Constant* table = fed ? constants.find(graph, node.inputs[0]) : nullptr;
      if (!table || table->shape.empty() || table->shape[0] < 1) continue;
      const auto [it, added] = limits.emplace(*fed, table->shape[0]);
      it->second = std::min(it->second, table->shape[0]);
    }
  });
  return limits;
}

}  // namespace wattwise::model
