// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "quantize/kernels.h"
#include "quantize/weights.h"

namespace wattwise::quantize {

/// Stores a weight as int8 with a scale per channel and unpacks it by `Cast x scale`, which a
/// runtime folds when it loads the model: a quarter of the bytes at float speed. Needs opset 7.
LayerQuantization store_int8(const Weight& weight, ModelEdits& edits);

/// Stores a 2-D table that only `Gather` (axis 0) reads as int8 with a scale per row; rows are
/// unpacked after they are gathered. Precondition: is_embedding(weight).
LayerQuantization store_int8_rows(const Weight& weight, ModelEdits& edits);
bool is_embedding(const Weight& weight);

/// True if only `MatMul` reads the weight, on its right side, and it is a matrix.
bool is_matrix(const Weight& weight);

/// Name of the node that reads the weight first.
std::string layer_name(const Weight& weight);

/// int8 values as a tensor of the weight's shape.
Tensor int8_tensor(const Weight& weight, const Int8Weights& quantized);

/// Runs `quantize_one` over all weights, reports progress, and applies the edits.
struct WeightMethod {
  std::string_view name;
  /// The layer's record, and how many nodes were touched through `applied`.
  LayerQuantization (*quantize_one)(const Weight& weight, ModelEdits& edits,
                                    MethodOutcome& outcome);
};
Result<MethodOutcome> quantize_weights(model::Model& model, const MethodContext& context,
                                       const WeightMethod& method);

/// Adds `count` to the entry of this name.
void count_applied(MethodOutcome& outcome, std::string_view name, size_t count);

}  // namespace wattwise::quantize
