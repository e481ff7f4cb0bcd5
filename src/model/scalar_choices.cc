// SPDX-License-Identifier: Apache-2.0
#include "model/scalar_choices.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "model/walk.h"

namespace wattwise::model {
namespace {

constexpr std::array<std::string_view, 6> kCopies = {"Identity", "Cast",      "Reshape",
                                                     "Squeeze",  "Unsqueeze", "Flatten"};

bool is_one_integer(const Value& input) {
  if (input.type != DataType::kInt64 && input.type != DataType::kInt32) return false;
  return input.shape && std::all_of(input.shape->begin(), input.shape->end(),
                                    [](const Dimension& dim) { return dim.value == 1; });
}

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
  std::map<std::string, std::string> origin;  // a value's name -> the input that it copies
  for (const Value& input : model.graph.inputs) {
    if (is_one_integer(input)) origin[input.name] = input.name;
  }
  std::map<std::string, int64_t> choices;
  if (origin.empty()) return choices;
  Model copy = model;  // the index may rewrite small constants
  const ConstantIndex constants(copy.graph);
  for_each_graph(std::as_const(copy.graph), [&](const Graph& graph, const std::string&) {
    for (const Node& node : graph.nodes) {
      if (node.inputs.empty()) continue;
      const auto first = origin.find(node.inputs[0]);
      if (std::find(kCopies.begin(), kCopies.end(), node.op_type) != kCopies.end()) {
        if (first != origin.end()) origin[node.outputs[0]] = first->second;
      } else if (node.op_type == "Equal" && node.inputs.size() == 2) {
        const auto second = origin.find(node.inputs[1]);
        const auto& fed = first != origin.end() ? first : second;
        if (fed == origin.end()) continue;
        const Constant* other = constants.find(graph, node.inputs[fed == first ? 1 : 0]);
        const auto value = other ? first_integer(*other) : std::nullopt;
        if (value) choices.emplace(fed->second, *value);
      }
    }
  });
  return choices;
}

}  // namespace wattwise::model
