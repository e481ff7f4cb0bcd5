// SPDX-License-Identifier: Apache-2.0
#include "model/probability_outputs.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace wattwise::model {
namespace {

constexpr std::array<std::string_view, 2> kMakers = {"Sigmoid", "Softmax"};
constexpr std::array<std::string_view, 8> kMovers = {"Reshape", "Transpose", "Squeeze", "Unsqueeze",
                                                     "Flatten", "Identity",  "Slice",   "Concat"};

using Producers = std::unordered_map<std::string, const Node*>;

/// Whether everything that reaches the value through movers comes from makers.
bool is_probability(const Producers& producers, const std::string& value) {
  std::vector<std::string> open = {value};
  std::unordered_set<std::string> seen = {value};
  while (!open.empty()) {
    const auto it = producers.find(open.back());
    open.pop_back();
    if (it == producers.end()) return false;
    const Node& node = *it->second;
    if (node.is_one_of(kMakers)) continue;
    if (!node.is_one_of(kMovers)) return false;
    const size_t moved = node.is("Concat") ? node.inputs.size() : 1;  // the rest are shapes
    for (size_t i = 0; i < std::min(moved, node.inputs.size()); ++i) {
      if (seen.insert(node.inputs[i]).second) open.push_back(node.inputs[i]);
    }
  }
  return true;
}

}  // namespace

std::set<std::string> probability_outputs(const Model& model) {
  Producers producers;
  for (const Node& node : model.graph.nodes) {
    for (const std::string& output : node.outputs) producers[output] = &node;
  }
  std::set<std::string> names;
  for (const Value& output : model.graph.outputs) {
    if (is_probability(producers, output.name)) names.insert(output.name);
  }
  return names;
}

}  // namespace wattwise::model
