// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "quantize/int4_columns.h"
#include "quantize/weights.h"

namespace wattwise::quantize {

/// The first operator set whose integers of 8 bits can be subtracted and multiplied, as unpacking
/// does.
inline constexpr int64_t kInt4Opset = 14;

/// The first that has shifts.
inline constexpr int64_t kInt4StorageOpset = 11;

/// Integers of 0..15 as a constant of half as many bytes, unpacked by nodes that a runtime folds
/// when it loads the model. Where no axis can be halved, and below kInt4StorageOpset, they stay
/// bytes. Returns the name of uint8 values of this shape.
struct Nibbles {
  std::string_view suffix;
  std::vector<int64_t> shape;
  const std::vector<uint8_t>& values;
};
std::string add_nibbles(const Weight& weight, const Nibbles& nibbles, ModelEdits& edits);

/// Steps that are made when the model is loaded: factors, [rows, any], times a scale for each row.
/// Factors of at most 15 take 4 bits. Returns the name of the floats.
struct StoredSteps {
  std::vector<int64_t> shape;
  const std::vector<uint8_t>& factors;
  const std::vector<float>& scales;
};
std::string add_steps(const Weight& weight, const StoredSteps& steps, ModelEdits& edits);

/// Stores integers q of the grid and factors in 4 bits each; factor x q is what the returned name
/// stands for, int8 of the weight's shape, made when the model is loaded. Needs kInt4Opset.
std::string add_int4_columns(const Weight& weight, const Int4Columns& fitted,
                             const std::vector<int8_t>& rounded, ModelEdits& edits);

/// Stores a table that only `Gather` (axis 0) reads in 4-bit blocks along its rows, which
/// GatherBlockQuantized, an operator of ONNX Runtime, unpacks after it has gathered them.
/// Preconditions: is_embedding(weight), has_int4_rows(weight).
LayerQuantization store_int4_rows(const Weight& weight, ModelEdits& edits);
bool has_int4_rows(const Weight& weight);

/// Stores a weight in 4-bit blocks of neighbours and unpacks it by nodes that a runtime folds when
/// it loads the model: float arithmetic at float speed. Precondition: has_int4_blocks(weight),
/// whose rows can be cut in blocks. Needs kInt4StorageOpset.
LayerQuantization store_int4(const Weight& weight, ModelEdits& edits);
bool has_int4_blocks(const Weight& weight);

/// The float values that are left of a weight after store_int4() or, if it is such a table, after
/// store_int4_rows(), under its name. Same preconditions.
model::Constant after_int4(const Weight& weight);

}  // namespace wattwise::quantize
