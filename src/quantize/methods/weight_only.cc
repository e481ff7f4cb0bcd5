// SPDX-License-Identifier: Apache-2.0
// int8 weights, float activations.
//
//   MatMul(x, W)   becomes  MatMul(x, DequantizeLinear(W8, scale per column)), which ONNX Runtime
//                  runs as an 8-bit product, where the operator set has it (13 and later, to which
//                  an older model is raised if it can be);
//   Gather(W, i)   gathers int8 rows and unpacks them;
//   any other      reads W through Cast x scale, folded when the model is loaded.
#include <fmt/format.h>

#include <algorithm>

#include "optimize/raise_opset.h"
#include "quantize/methods/methods.h"
#include "quantize/store_int8.h"

namespace wattwise::quantize {
namespace {

constexpr int64_t kPerAxisDequantize = 13;

LayerQuantization dequantize_before_matmul(const Weight& weight, ModelEdits& edits) {
  const ChannelLayout layout{weight.dim(0), weight.dim(1), 1};
  const Int8Weights quantized = quantize_int8(weight.values(), layout);
  const std::string values = edits.add_constant(weight, "_int8", int8_tensor(weight, quantized));
  const std::string scale = edits.add_constant(
      weight, "_scale", make_float_tensor({weight.constant.shape[1]}, quantized.scales));
  model::Node node;
  node.name = edits.unique(weight.name + "_DequantizeLinear");
  node.op_type = "DequantizeLinear";
  node.inputs = {values, scale};
  node.outputs = {weight.name};
  node.set_attribute("axis", int64_t{1});
  edits.add_first(weight, std::move(node));
  edits.remove_constant(weight);
  return {layer_name(weight), weight.name, "int8 per column",
          static_cast<int64_t>(weight.values().size()),
          weight_sqnr_db(weight.values(), quantized, layout)};
}

template <bool kDequantize>
LayerQuantization quantize_one(const Weight& weight, ModelEdits& edits, MethodOutcome& outcome) {
  if (is_embedding(weight)) {
    count_applied(outcome, "int8_embedding", weight.readers.size());
    return store_int8_rows(weight, edits);
  }
  if (kDequantize && is_matrix(weight)) {
    count_applied(outcome, "int8_matmul_weights", weight.readers.size());
    return dequantize_before_matmul(weight, edits);
  }
  count_applied(outcome, "int8_stored_weights", weight.readers.size());
  return store_int8(weight, edits);
}

/// Raises an older model in which matrices would gain by it, and says so. True if the model has
/// DequantizeLinear by channel then.
Result<bool> reach_dequantize(model::Model& model, const MethodContext& context,
                              std::vector<Decision>& decisions) {
  const int64_t before = model.opset("");
  if (before >= kPerAxisDequantize) return true;
  std::vector<Decision> told_later;
  const std::vector<Weight> weights = find_weights(model, told_later);
  if (std::none_of(weights.begin(), weights.end(), is_matrix)) return false;
  const auto raised = optimize::raise_opset(model, kPerAxisDequantize, context.shapes);
  if (!raised) {
    decisions.push_back({"refuse", "raise_opset", raised.error().to_string()});
    return false;
  }
  decisions.push_back(
      {"raise_opset", "model",
       fmt::format("from operator set {} to {}, which unpacks int8 matrices right before MatMul",
                   before, kPerAxisDequantize)});
  return true;
}

}  // namespace

Result<MethodOutcome> run_weight_only(model::Model& model, const MethodContext& context) {
  std::vector<Decision> decisions;
  const bool dequantizes = WATTWISE_TRY(reach_dequantize(model, context, decisions));
  const WeightMethod method = {"weight_only",
                               dequantizes ? quantize_one<true> : quantize_one<false>};
  MethodOutcome outcome = WATTWISE_TRY(quantize_weights(model, context, method));
  outcome.decisions.insert(outcome.decisions.begin(), decisions.begin(), decisions.end());
  return outcome;
}

}  // namespace wattwise::quantize
