// SPDX-License-Identifier: Apache-2.0
#include "quantize/integer_matmul.h"

#include "quantize/product_bias.h"

namespace wattwise::quantize {
void multiply_in_integers(const Weight& weight, const IntegerMatrix& matrix, ModelEdits& edits) {
  for (const WeightReader& reader : weight.readers) {
    model::Node node = *reader.node;
    node.op_type = "DynamicQuantizeMatMul";
    node.domain = "com.microsoft";
    node.inputs = {reader.node->inputs[0], matrix.values, matrix.scales};
    const BiasAdd add = bias_after(reader, weight.dim(1));
    if (!matrix.bias_change.empty()) {
      const std::string bias = add_changed_bias(weight, add, matrix.bias_change, edits);
      node.inputs.insert(node.inputs.end(), {"", bias});
    } else if (add.node) {
      node.inputs.insert(node.inputs.end(), {"", add.bias->name});
    }
    if (add.node) {
      node.outputs = add.node->outputs;
      edits.replace({reader.graph, add.node, 0}, {});
    }
    edits.replace(reader, {std::move(node)});
  }
  edits.remove_constant(weight);
}

}  // namespace wattwise::quantize
