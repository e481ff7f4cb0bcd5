// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "engine/runtime_testing.h"
#include "model/graph.h"
#include "quantize/quantize.h"

// What tests of several methods share.
namespace wattwise::quantize::fixtures {

inline const model::ShapeTable kNoShapes;
inline const Progress kNoProgress;

/// The model's outputs for these inputs.
TensorMap run(const model::Model& model, const TensorMap& inputs);
/// For random inputs, the same at every call; an input `flag` gets this value.
TensorMap run(const model::Model& model, bool flag = false);
/// Between the models' first outputs for random inputs.
double cosine(const model::Model& first, const model::Model& second);
double cosine(const TensorMap& expected, const TensorMap& actual);
/// How many nodes of this kind the model has, inner graphs included.
int64_t count(const model::Model& model, std::string_view op_type);

/// The graph as ONNX Runtime runs it.
model::Model optimized(const model::Model& model);

/// Without inputs, outputs and nodes.
model::Model empty_model(int64_t opset, const std::string& name);

/// Every form that integers have, on a free width: HardSwish, an affine map before padding,
/// depthwise, Relu taken in and not, a residual, swish, pooling, a gate, movement, Concat.
model::Model mobile_like();
/// Reads these samples, which must outlive it.
CalibrationData calibration(const std::vector<TensorMap>& samples);

struct Made {
  model::Model model;
  MethodOutcome outcome;
};
/// A copy of the model, quantized without calibration data.
Made make(const model::Model& original, std::string_view method,
          const QuantizationConfig& config = {});

}  // namespace wattwise::quantize::fixtures
