// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "quantize/input_statistics.h"
#include "quantize/rounding_grids.h"
#include "quantize/weights.h"

namespace wattwise::quantize {

/// How a matrix of 4 bits is stored and multiplied.
enum class Int4Form {
  kUnpacked,     ///< DynamicQuantizeMatMul of int8, which nodes make of 4 bits when they are folded
  kPacked,       ///< MatMulNBits
  kDequantized,  ///< DequantizeLinear in blocks, then MatMul: operators of ONNX 21 and nothing else
};

/// Precondition of what takes one: is_matrix(weight).
struct Int4Matrix {
  const Weight& weight;
  Int4Form form;
};

/// What packed matrices are rounded to, as the weight's blocking says.
Int4Grid packed_grid(Floats weights, size_t rows, const Int4Blocking& blocking);

/// Makes every product with the matrix one of 4 bits, rounded to nearest. A matrix whose rows no
/// block divides as kUnpacked needs it becomes kPacked.
LayerQuantization quantize_int4_matrix(const Int4Matrix& matrix, ModelEdits& edits);

/// The same rounded by what multiplies it; a decision tells the gain.
LayerQuantization round_int4_matrix(const Int4Matrix& matrix, const InputStatistics& statistics,
                                    ModelEdits& edits, MethodOutcome& outcome);

}  // namespace wattwise::quantize
