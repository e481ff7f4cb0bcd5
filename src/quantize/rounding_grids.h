// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "quantize/gptq.h"
#include "quantize/input_statistics.h"
#include "quantize/kernels.h"
#include "quantize/weights.h"

namespace wattwise::quantize {

/// int8 per column of [rows, columns], or with the largest scale of them for all:
/// quantize_int8_pairs(), or fit_int8() for the full range.
struct MatrixShape {
  size_t rows;
  size_t columns;
  WeightRange range = WeightRange::kPairAware;
  ScaleChoice choice = ScaleChoice::kLeastError;
  bool one_scale = false;
};
MatrixShape matrix_shape(const Weight& weight);
Int8Weights quantize_matrix(Floats weights, const MatrixShape& shape);
/// The grid of it.
RoundingGrid matrix_grid(Floats weights, const MatrixShape& shape);

/// The grid of quantize_int4(), or one without zero points, with scales that are small integers
/// times a scale for each column.
struct Int4Grid {
  RoundingGrid grid;
  std::vector<uint8_t> factors;      ///< [columns, blocks], 1 to 15
  std::vector<float> column_scales;  ///< 16 bits hold them
};
/// `blocking.block` must be even and from 2 to 256.
Int4Grid int4_grid(Floats weights, size_t rows, size_t columns, const Int4Blocking& blocking);
/// Integers of that grid and zeros as MatMulNBits keeps them; scales stay in the grid.
Int4Blocks pack_int4(const std::vector<int8_t>& values, const RoundingGrid& grid);

/// 10 log10 of the squares of the weights over those of what the grid's integers miss of them.
double weight_sqnr_db(Floats weights, const std::vector<int8_t>& values, const RoundingGrid& grid);

/// What rounding looks at: what a matrix multiplies, and which techniques of those are wanted that
/// round by it.
struct RoundingData {
  const InputStatistics& statistics;
  Techniques techniques;
  bool has_bias = true;  ///< the products have a bias that may be corrected
};

/// How much the errors of a matrix's rows matter: squares of what they multiply, added up, of what
/// that differs from its mean where a bias takes back the rest.
std::vector<float> row_importance(const RoundingData& data);

/// A matrix on a grid by what it multiplies, and what that gained over rounding to nearest.
struct RoundedMatrix {
  std::vector<int8_t> values;
  std::vector<float> bias_change;  ///< empty: none
  ProductError nearest;            ///< of the products with the excerpts of the inputs
  ProductError error;
};
RoundedMatrix round_matrix(Floats weights, const RoundingGrid& grid, const RoundingData& data);

/// "products: 41.2 dB, rounded to nearest 36.0 dB"
std::string describe_gain(const RoundedMatrix& rounded);

}  // namespace wattwise::quantize
