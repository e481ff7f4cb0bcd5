// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "quantize/gptq.h"
#include "quantize/kernels.h"

namespace wattwise::quantize {

/// 4-bit weights [rows, columns] that become int8 by multiplications of integers alone:
/// w = scale of the column x factor of the block x q, a factor in 1..15, q in -8..7. factor x q is
/// an int8 that obeys the pair rule of kernels.h.
struct Int4Columns {
  std::vector<float> scales;     ///< one for each column; 16 bits hold them
  std::vector<uint8_t> factors;  ///< [blocks, columns]
  RoundingGrid grid;             ///< of the q
};

/// Rows that share a factor: even and between 8 and 64, near 16; 0 where no such number divides
/// `rows` evenly.
size_t int4_column_block(size_t rows);

/// What is fitted: [any, columns] in blocks of `block` rows, which divides the rows and is even.
struct Int4Fitting {
  size_t columns;
  size_t block;
  ScaleChoice choice = ScaleChoice::kLeastError;
};

/// Scales and factors with the least squared error, found among a few, or the first of these, which
/// keep the largest weights. `importance`, empty or one number for each row, weighs the errors of
/// the rows.
Int4Columns fit_int4_columns(Floats weights, const Int4Fitting& fitting,
                             const std::vector<float>& importance = {});

}  // namespace wattwise::quantize
