// SPDX-License-Identifier: Apache-2.0
#include "quantize/integer_matmul.h"

#include <algorithm>

#include "model/walk.h"

namespace wattwise::quantize {
namespace {

/// The Add of a constant bias that alone reads a product; the operator adds it on its way.
struct BiasAdd {
  const model::Node* node = nullptr;
  std::string bias;
};

BiasAdd bias_after(const WeightReader& reader, int64_t columns) {
  const std::string& product = reader.node->outputs[0];
  if (model::count_uses(*reader.graph)[product] != 1) return {};
  for (const model::Node& node : reader.graph->nodes) {
    if (!node.is("Add") || node.inputs.size() != 2) continue;
    const auto at = std::find(node.inputs.begin(), node.inputs.end(), product);
    if (at == node.inputs.end()) continue;
    const std::string& other = node.inputs[at == node.inputs.begin() ? 1 : 0];
    for (const model::Constant& constant : reader.graph->initializers) {
      if (constant.name == other && constant.type == DataType::kFloat &&
          constant.shape == std::vector<int64_t>{columns}) {
        return {&node, other};
      }
    }
  }
  return {};
}

}  // namespace

void multiply_in_integers(const Weight& weight, const IntegerMatrix& matrix, ModelEdits& edits) {
  for (const WeightReader& reader : weight.readers) {
    model::Node node = *reader.node;
    node.op_type = "DynamicQuantizeMatMul";
    node.domain = "com.microsoft";
    node.inputs = {reader.node->inputs[0], matrix.values, matrix.scales};
    if (const BiasAdd add = bias_after(reader, weight.constant.shape[1]); add.node) {
      node.inputs.insert(node.inputs.end(), {"", add.bias});
      node.outputs = add.node->outputs;
      edits.replace({reader.graph, add.node, 0}, {});
    }
    edits.replace(reader, {std::move(node)});
  }
  edits.remove_constant(weight);
}

}  // namespace wattwise::quantize
