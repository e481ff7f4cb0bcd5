// SPDX-License-Identifier: Apache-2.0
#include "optimize/runtime_fusions.h"

#include <algorithm>

namespace wattwise::optimize {
namespace {

/// (x - mean) / sqrt(variance): what the scale and shift of a layer normalization follow.
bool is_normalized(const GraphEditor& graph, const model::Node& node) {
  return node.is("Div") && node.inputs.size() == 2 && graph.producer_if(node.inputs[1], "Sqrt");
}

/// x * (1 + erf(..)) or x * (1 + tanh(..)): what the one half of a GELU follows.
bool is_gated(const GraphEditor& graph, const model::Node& node) {
  if (!node.is("Mul")) return false;
  return std::any_of(node.inputs.begin(), node.inputs.end(), [&](const std::string& factor) {
    const model::Node* sum = graph.producer_if(factor, "Add");
    return sum && std::any_of(sum->inputs.begin(), sum->inputs.end(), [&](const std::string& term) {
             return graph.producer_if(term, "Erf") || graph.producer_if(term, "Tanh");
           });
  });
}

}  // namespace

bool starts_fused_tail(const GraphEditor& graph, const std::string& value) {
  const model::Node* node = graph.producer(value);
  if (!node) return false;
  if (is_normalized(graph, *node) || is_gated(graph, *node)) return true;
  // The shift of a layer normalization follows its scale.
  return node->is("Mul") &&
         std::any_of(node->inputs.begin(), node->inputs.end(), [&](const std::string& factor) {
           const model::Node* scaled = graph.producer(factor);
           return scaled && is_normalized(graph, *scaled);
         });
}

}  // namespace wattwise::optimize
