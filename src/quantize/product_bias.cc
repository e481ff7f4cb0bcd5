// SPDX-License-Identifier: Apache-2.0
#include "quantize/product_bias.h"

#include <algorithm>

#include "model/walk.h"
#include "quantize/store_half.h"

namespace wattwise::quantize {

BiasAdd bias_after(const WeightReader& reader, size_t columns) {
  const std::string& product = reader.node->outputs[0];
  if (model::count_uses(*reader.graph, product) != 1) return {};
  for (const model::Node& node : reader.graph->nodes) {
    if (!node.is("Add") || node.inputs.size() != 2) continue;
    const auto at = std::find(node.inputs.begin(), node.inputs.end(), product);
    if (at == node.inputs.end()) continue;
    const std::string& other = node.inputs[at == node.inputs.begin() ? 1 : 0];
    const auto& fed = reader.graph->inputs;
    if (std::any_of(fed.begin(), fed.end(),
                    [&](const model::Value& input) { return input.name == other; })) {
      continue;  // a default that callers may replace
    }
    for (const model::Constant& constant : reader.graph->initializers) {
      if (constant.name == other && constant.type == DataType::kFloat &&
          constant.shape == std::vector<int64_t>{static_cast<int64_t>(columns)}) {
        return {&node, &constant};
      }
    }
  }
  return {};
}

std::string add_changed_bias(const Weight& weight, const BiasAdd& add,
                             const std::vector<float>& change, ModelEdits& edits) {
  std::vector<float> values = change;
  if (add.bias) {
    const Floats bias(add.bias->data.view());
    for (size_t i = 0; i < values.size(); ++i) values[i] += bias[i];
  }
  const auto count = static_cast<int64_t>(values.size());
  return add_vector(weight, {"_bias", {count}, values}, edits);
}

bool all_have_biases(const Weight& weight) {
  return std::all_of(weight.readers.begin(), weight.readers.end(), [&](const WeightReader& reader) {
    return bias_after(reader, weight.dim(1)).node != nullptr;
  });
}

void change_bias(const Weight& weight, const WeightReader& reader, const std::vector<float>& change,
                 ModelEdits& edits) {
  const BiasAdd add = bias_after(reader, weight.dim(1));
  model::Node node = *add.node;
  const std::string bias = add_changed_bias(weight, add, change, edits);
  std::replace(node.inputs.begin(), node.inputs.end(), add.bias->name, bias);
  edits.replace({reader.graph, add.node, 0}, {std::move(node)});
}

}  // namespace wattwise::quantize
