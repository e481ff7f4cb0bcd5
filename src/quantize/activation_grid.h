// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "quantize/integer_plan.h"
#include "quantize/ranges.h"

namespace wattwise::quantize {

/// How uint8 stands for a real value: x = scale (q - zero) + offset. Files can say scale and zero
/// only; the offset, at most half a step, is what rounding the zero point leaves.
struct Grid {
  float scale = 1;
  uint8_t zero = 0;
  double offset = 0;
};

/// Bytes that a value is stored in, and what other values are read from them: the value at x = root
/// reads as zero there, which must be a level.
struct GridNeeds {
  Range range;
  std::vector<double> roots;        ///< x that must be within the range
  std::vector<double> exact_roots;  ///< x that should fall on a level: clipping happens there
};

/// The grid with the smallest steps that serves all needs. Zero is always a level, for padding.
Grid make_grid(const GridNeeds& needs);

/// The same bytes read as scale x + shift.
Grid read_as(const Grid& stored, double scale, double shift);

/// First and last byte within the view's bounds, for a value on this grid.
struct ByteBounds {
  uint8_t low = 0;
  uint8_t high = 255;
};
ByteBounds bytes_within(const Grid& grid, const View& view);

}  // namespace wattwise::quantize
