// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "quantize/kernels.h"
#include "quantize/quantize_weights.h"
#include "quantize/weights.h"

namespace wattwise::quantize {

/// Stores a weight as int8 with a scale per channel, or several where these are worth their bytes,
/// and unpacks it by `Cast x scale`, which a runtime folds when it loads the model: a quarter of
/// the bytes at float speed. Needs opset 7.
LayerQuantization store_int8(const Weight& weight, ModelEdits& edits);

/// The same, or 16 bits where the weight is delicate; counts the readers in `outcome`.
LayerQuantization store_weight(const Weight& weight, ModelEdits& edits, MethodOutcome& outcome);

/// Stores a 2-D table that only `Gather` (axis 0) reads as int8. Rows of a large one are unpacked
/// after they are gathered, with a scale each, which takes three more nodes; a small one, of 1 MiB
/// of floats, is unpacked when a runtime loads the model, as by store_int8(). Counts the readers in
/// `outcome`. Precondition: is_embedding(weight).
LayerQuantization store_table(const Weight& weight, ModelEdits& edits, MethodOutcome& outcome);
bool is_embedding(const Weight& weight);

/// What these two store, minus the weight.
std::vector<float> int8_errors(const Weight& weight);

/// True if only `MatMul` reads the weight, on its right side, it is a matrix, and nothing speaks
/// against multiplying it in integers.
bool is_matrix(const Weight& weight);

/// Name of the node that reads the weight first.
std::string layer_name(const Weight& weight);
/// The node's, or what it makes where it has none.
std::string layer_name(const model::Node& node);

/// int8 values as a tensor of the weight's shape.
Tensor int8_tensor(const Weight& weight, std::vector<int8_t> values);

}  // namespace wattwise::quantize
