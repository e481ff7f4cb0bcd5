// SPDX-License-Identifier: Apache-2.0
// 16-bit weights, float arithmetic.
//
//   Op(x, W)   becomes  Op(x, Cast(W16 to float)), which ONNX Runtime folds when it loads the
//   model:
//              half the bytes at float speed on processors without 16-bit arithmetic.
//
// A weight with values that 16 bits cannot hold stays as it is.
#include "quantize/cut_zeros.h"
#include "quantize/kernels.h"
#include "quantize/methods/methods.h"
#include "quantize/store_half.h"
#include "quantize/store_int8.h"

namespace wattwise::quantize {
namespace {

LayerQuantization quantize_to_half(const Weight& weight, ModelEdits& edits,
                                   MethodOutcome& outcome) {
  if (!fits_half(weight)) {
    outcome.decisions.push_back(
        {"keep_float", weight.name, "it has values beyond 65504, the largest of 16 bits"});
    return {layer_name(weight), weight.name, "float", static_cast<int64_t>(weight.values().size()),
            decibels(1, 0)};
  }
  count_applied(outcome, "fp16_stored_weights", weight.readers.size());
  return store_without_zeros(weight, edits, store_half);
}

}  // namespace

const WeightMethod kHalfWeights = {"fp16", quantize_to_half};

Result<MethodOutcome> run_fp16(model::Model& model, const MethodContext& context) {
  return quantize_weights(model, context, kHalfWeights);
}

}  // namespace wattwise::quantize
