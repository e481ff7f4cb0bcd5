// SPDX-License-Identifier: Apache-2.0
// 16-bit weights, float arithmetic.
//
//   Op(x, W)   becomes  Op(x, Cast(W16 to float)), which ONNX Runtime folds when it loads the
//   model:
//              half the bytes at float speed on processors without 16-bit arithmetic.
//
// A weight with values that 16 bits cannot hold stays as it is.
#include <algorithm>
#include <cmath>

#include "core/half.h"
#include "quantize/methods/methods.h"
#include "quantize/store_int8.h"

namespace wattwise::quantize {
namespace {

constexpr int64_t kOnnxFloat = 1;

bool fits(const Weight& weight) {
  const auto values = weight.values();
  return std::all_of(values.begin(), values.end(),
                     [](float value) { return std::fabs(value) < kHalfOverflow; });
}

LayerQuantization store_half(const Weight& weight, ModelEdits& edits) {
  const auto values = weight.values();
  std::vector<Half> halves(values.size());
  double signal = 0;
  double noise = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    halves[i] = to_half(values[i]);
    const float error = values[i] - to_float(halves[i]);
    signal += values[i] * values[i];
    noise += error * error;
  }
  const std::string stored = edits.add_constant(weight, "_fp16",
                                                {DataType::kFloat16,
                                                 weight.constant.shape,
                                                 Bytes::copy_of(std::span<const Half>(halves)),
                                                 {}});
  model::Node cast;
  cast.name = edits.unique(weight.name + "_Cast");
  cast.op_type = "Cast";
  cast.inputs = {stored};
  cast.outputs = {weight.name};
  cast.set_attribute("to", kOnnxFloat);
  edits.add_first(weight, std::move(cast));
  edits.remove_constant(weight);
  return {layer_name(weight), weight.name, "fp16, stored only", static_cast<int64_t>(values.size()),
          decibels(signal, noise)};
}

LayerQuantization quantize_one(const Weight& weight, ModelEdits& edits, MethodOutcome& outcome) {
  if (!fits(weight)) {
    outcome.decisions.push_back(
        {"keep_float", weight.name, "it has values beyond 65504, the largest of 16 bits"});
    return {layer_name(weight), weight.name, "float", static_cast<int64_t>(weight.values().size()),
            decibels(1, 0)};
  }
  count_applied(outcome, "fp16_stored_weights", weight.readers.size());
  return store_half(weight, edits);
}

}  // namespace

Result<MethodOutcome> run_fp16(model::Model& model, const MethodContext& context) {
  return quantize_weights(model, context, {"fp16", quantize_one});
}

}  // namespace wattwise::quantize
