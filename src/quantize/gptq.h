// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quantize/floats.h"

namespace wattwise::quantize {

/// The values that a matrix [rows, columns] may take: step x q with an integer q from low to high.
/// Groups of `rows_per_group` rows share steps and limits, which are kept as [groups, columns].
struct RoundingGrid {
  size_t rows_per_group = 1;
  size_t columns = 1;
  std::vector<float> steps;  ///< above 0
  std::vector<float> low;
  std::vector<float> high;
  /// What neighbours of equal sign along the rows, at 2i and 2i+1, add up to at most, as
  /// [groups, columns]; empty: any sum. Precondition: pairs share a group, and each half of a limit
  /// lies within low and high.
  std::vector<float> pair_limits = {};
};

struct GptqOptions {
  /// Share of the mean of the Gram matrix's diagonal that is added to it.
  float damping = 0.01F;
  /// Rounds the rows with the largest activations first (pairs together where they are limited).
  bool by_activation = false;
};

/// Rounds weights W so that the products with the inputs X change little, by GPTQ (Frantar and
/// others, 2022): rows one after the other, and each row's error is made up for by the rows that
/// follow. `gram` is X^T X, [rows, rows], symmetric. Returns q, [rows, columns].
///
/// With X^T X = R R^T, R upper triangular, the error of the products is the length of R^T (W - Q),
/// whose row j depends on the rows up to j only: each row rounds W_j + sum_i<j R_ij / R_jj E_i.
/// That is the same rounding as the paper's by the inverse, without an inverse.
std::vector<int8_t> round_gptq(Floats weights, std::span<const float> gram,
                               const RoundingGrid& grid, const GptqOptions& options = {});

/// Rounds every weight to the nearest value of the grid; pairs give up half of their excess each.
std::vector<int8_t> round_to_nearest(Floats weights, const RoundingGrid& grid);

/// Integers of a grid, and what is added to each column of the products with them; empty: nothing.
struct Rounding {
  std::span<const int8_t> values;
  const RoundingGrid& grid;
  std::span<const float> bias_change = {};
};

/// |X W|^2 and |X (W - step x q) - bias change|^2 over inputs X, [any, rows].
struct ProductError {
  double signal = 0;
  double noise = 0;
};
ProductError product_error(std::span<const float> inputs, Floats weights, const Rounding& rounding);

}  // namespace wattwise::quantize
