// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "quantize/floats.h"
#include "quantize/kernels.h"

namespace wattwise::quantize {

/// 4-bit rows of [any, width] in blocks along the row: w = scale of the row x factor of the block
/// x (q - zero), q and zero in 0..15, a factor in 1..15.
struct Int4Rows {
  std::vector<uint8_t> values;   ///< q, [rows, width]
  std::vector<float> scales;     ///< one for each row; 16 bits hold them if they are not tiny
  std::vector<uint8_t> factors;  ///< [rows, blocks]
  std::vector<uint8_t> zeros;    ///< [rows, blocks]
  double signal = 0;             ///< sum of the squared weights
  double noise = 0;              ///< sum of the squared errors
};

/// Of a few factors for each block, from the one that keeps all of its weights down, the one with
/// the least squared error, or just the first. Precondition: `block` divides the width.
Int4Rows fit_int4_rows(Floats weights, size_t width, size_t block,
                       ScaleChoice choice = ScaleChoice::kLeastError);

}  // namespace wattwise::quantize
