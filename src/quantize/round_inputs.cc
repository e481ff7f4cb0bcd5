// SPDX-License-Identifier: Apache-2.0
#include "quantize/round_inputs.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "quantize/integer_matmul.h"
#include "quantize/quantize_weights.h"

namespace wattwise::quantize {
namespace {

/// A value rounded to uint8: names of the integers, of their scale and of what stands for 0.
struct RoundedInput {
  std::string values;
  std::string scale;
  std::string zero;
};

RoundedInput round_once(optimize::GraphEditor& graph, const std::string& value) {
  RoundedInput rounded{graph.unique(value + "_uint8"), graph.unique(value + "_step"),
                       graph.unique(value + "_zero")};
  model::Node node = optimize::make_node("DynamicQuantizeLinear", {value}, rounded.values);
  node.outputs = {rounded.values, rounded.scale, rounded.zero};
  graph.add(std::move(node));
  return rounded;
}

/// The product reads the integers. Inputs of both operators, in their order: x, W, scale of W,
/// zero of W, bias; and x, W, scale of x, scale of W, zero of x, zero of W, bias.
void read_rounded(optimize::GraphEditor& graph, model::Node& product, const RoundedInput& input) {
  const auto at = [&](size_t slot) {
    return slot < product.inputs.size() ? product.inputs[slot] : std::string();
  };
  std::vector<std::string> inputs = {input.values, at(1), input.scale, at(2),
                                     input.zero,   at(3), at(4)};
  while (inputs.back().empty()) inputs.pop_back();
  product.op_type = "MatMulIntegerToFloat";
  graph.set_inputs(product, std::move(inputs));
}

}  // namespace

void round_inputs(optimize::GraphEditor& graph, MethodOutcome& outcome) {
  for (const model::Node* first : graph.nodes()) {
    if (!is_integer_product(*first)) continue;
    const std::string value = first->inputs[0];
    std::vector<model::Node*> products;
    for (model::Node* reader : graph.readers(value)) {
      if (is_integer_product(*reader) && reader->inputs[0] == value) products.push_back(reader);
    }
    if (products.size() < 2) continue;
    const RoundedInput rounded = round_once(graph, value);
    for (model::Node* product : products) read_rounded(graph, *product, rounded);
    count_applied(outcome, "share_rounded_inputs", products.size());
    outcome.decisions.push_back(
        {"round_once", value, fmt::format("{} integer products read it", products.size())});
  }
}

}  // namespace wattwise::quantize
