// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "quantize/gptq.h"

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

/// Scales and factors with the least squared error, found among a few. `importance`, empty or one
/// number for each row, weighs the errors of the rows. Precondition: `block` divides the rows and
/// is even.
Int4Columns fit_int4_columns(Floats weights, size_t columns, size_t block,
                             const std::vector<float>& importance = {});

}  // namespace wattwise::quantize
