// SPDX-License-Identifier: Apache-2.0
// int8 weights; activations are quantized when they are computed.
//
//   MatMul(x, W)   becomes  DynamicQuantizeMatMul(x, W8, scale per column), an operator of ONNX
//                  Runtime that quantizes x to uint8 and multiplies in integers;
//   Gather(W, i)   gathers int8 rows and unpacks them;
//   any other      keeps float arithmetic and reads W through Cast x scale: integer convolution
//                  with run-time ranges is slower than float on every processor measured.
//
// Weights obey the pair rule of kernels.h, so that processors without VNNI give the same answer.
#include "quantize/methods/methods.h"
#include "quantize/store_int8.h"

namespace wattwise::quantize {
namespace {

LayerQuantization multiply_in_integers(const Weight& weight, ModelEdits& edits) {
  const ChannelLayout layout{weight.dim(0), weight.dim(1), 1};
  const Int8Weights quantized = quantize_int8_pairs(weight.values(), weight.dim(0), weight.dim(1));
  const std::string values = edits.add_constant(weight, "_int8", int8_tensor(weight, quantized));
  const std::string scale = edits.add_constant(
      weight, "_scale", make_float_tensor({weight.constant.shape[1]}, quantized.scales));
  for (const WeightReader& reader : weight.readers) {
    model::Node node = *reader.node;
    node.op_type = "DynamicQuantizeMatMul";
    node.domain = "com.microsoft";
    node.inputs = {reader.node->inputs[0], values, scale};
    edits.replace(reader, {std::move(node)});
  }
  edits.remove_constant(weight);
  return {layer_name(weight), weight.name, "int8 per column, dynamic activations",
          static_cast<int64_t>(weight.values().size()),
          weight_sqnr_db(weight.values(), quantized, layout)};
}

LayerQuantization quantize_one(const Weight& weight, ModelEdits& edits, MethodOutcome& outcome) {
  if (is_embedding(weight)) {
    count_applied(outcome, "int8_embedding", weight.readers.size());
    return store_int8_rows(weight, edits);
  }
  if (is_matrix(weight)) {
    count_applied(outcome, kDynamicMatMul, weight.readers.size());
    return multiply_in_integers(weight, edits);
  }
  count_applied(outcome, "int8_stored_weights", weight.readers.size());
  return store_int8(weight, edits);
}

}  // namespace

Result<MethodOutcome> run_dynamic(model::Model& model, const MethodContext& context) {
  auto outcome = WATTWISE_TRY(quantize_weights(model, context, {"dynamic", quantize_one}));
  if (!outcome.applied.empty()) model.require_opset("com.microsoft", 1);
  return outcome;
}

}  // namespace wattwise::quantize
