// SPDX-License-Identifier: Apache-2.0
#include "quantize/integer_matmul.h"

#include <algorithm>

#include "quantize/approximate_gelu.h"
#include "quantize/product_bias.h"
#include "quantize/round_inputs.h"

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

bool is_integer_product(const model::Node& node) {
  return node.domain == "com.microsoft" && node.op_type == "DynamicQuantizeMatMul";
}

Result<void> suit_integer_products(model::Model& model, const MethodContext& context,
                                   const RoundingSteps& steps, MethodOutcome& outcome) {
  optimize::ModelEditor editor(model);
  for (optimize::GraphEditor& graph : editor.graphs()) {
    const auto nodes = graph.nodes();
    if (std::none_of(nodes.begin(), nodes.end(),
                     [](const model::Node* node) { return is_integer_product(*node); })) {
      continue;
    }
    approximate_gelus(graph, context.shapes, steps, outcome);
    if (model.opset("") >= kFirstToRoundApart) round_inputs(graph, outcome);
  }
  return editor.finish();
}

}  // namespace wattwise::quantize
