// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "quantize/floats.h"
#include "quantize/ranges.h"

// The loops that rounding and calibration spend their time in, for several instruction sets. All
// give the same bits for any input, NaN and infinity included: sums run in lanes of a fixed number,
// and nothing is contracted or approximated. Integers come from round half to even; NaN becomes the
// lowest one.
namespace wattwise::quantize {

/// Sums along a row of weights are kept in so many lanes, added from the first to the last; what is
/// left of the row is added after that.
inline constexpr size_t kSumLanes = 16;

struct SquaredSums {
  float signal = 0;  ///< of the squared weights
  float noise = 0;   ///< of the squared errors
};

/// The scale of each of `count` columns, and 1 / scale.
struct ColumnScales {
  const float* scale;
  const float* inverse;
  size_t count;
};

/// Sums of every column.
struct ColumnSums {
  float* signal;
  float* noise;
};

/// Columns of a tile of 4-bit blocks, and rows of the largest block.
inline constexpr size_t kTileColumns = 64;
inline constexpr size_t kMostBlockRows = 256;

/// Up to kMostBlockRows rows of up to kTileColumns columns, `stride` floats apart.
struct TileView {
  const FileFloat* first;
  size_t stride;
  size_t rows;
  size_t columns;
};

/// One 4-bit block for each column of a tile: w = scale x (q - zero), q in 0..15, over the range of
/// the block's weights and zero. Blocks narrower than 15 x the smallest normal float are all zero.
struct Int4Tile {
  std::array<float, kTileColumns> scale;
  std::array<float, kTileColumns> zero;
  /// Low nibble first; a missing last one is 0.
  std::array<std::array<uint8_t, kMostBlockRows / 2>, kTileColumns> packed;
};

/// How the columns of a tile round to -8..7, two neighbours along the rows at a time.
struct PairedGrid {
  const float* step;        ///< of each column
  const float* limit;       ///< what two neighbours' magnitudes may add up to, of each column
  const float* importance;  ///< of each row's squared errors; null: 1
};

/// w = step x (q - zero), q in 0..15
struct Int4Fit {
  float step = 1;
  float zero = 0;
};

/// What one look at every element of an activation tells.
struct ValueLook {
  float low = std::numeric_limits<float>::max();  ///< the smallest; NaN loses, -0 is 0
  float high = -std::numeric_limits<float>::max();
  bool is_finite = true;  ///< whether all are
  size_t outside = 0;     ///< how many lie beyond the ends of what is common
};

/// Weights of `count` columns of one row, or of one channel; scales and their inverses likewise.
struct RoundingKernels {
  std::string_view name;
  bool (*is_runnable)();

  /// max |w|; 0 of none.
  float (*largest)(const FileFloat* w, size_t count);
  /// largest[c] = max(largest[c], |w[c]|)
  void (*raise_largest)(const FileFloat* w, size_t count, float* largest);
  /// largest[c] = max(largest[c], |a[c] + b[c]|)
  void (*raise_largest_sum)(const FileFloat* a, const FileFloat* b, size_t count, float* largest);

  /// q = w / scale within -127..127, all at one scale.
  SquaredSums (*round_error)(const FileFloat* w, size_t count, float scale);
  void (*round)(const FileFloat* w, size_t count, float scale, int8_t* q);
  /// The same at a scale for each; errors[c] += the squared error.
  void (*add_errors)(const FileFloat* w, const ColumnScales& scales, float* errors);
  void (*round_each)(const FileFloat* w, std::span<const float> inverse, int8_t* q);

  /// Neighbours along the rows, a and b, within the rule of quantize_int8_pairs(): both give up
  /// half of what is too much, the odd one is b's.
  void (*add_pair_errors)(const FileFloat* a, const FileFloat* b, const ColumnScales& scales,
                          float* errors);
  void (*round_pairs)(const FileFloat* a, std::span<const float> inverse, size_t stride,
                      int8_t* q);  ///< b and its integers lie `stride` behind a and its

  /// What such integers keep of the weights, all at one scale, or at a scale for each.
  SquaredSums (*loss)(const FileFloat* w, const int8_t* q, size_t count, float scale);
  void (*add_losses)(const FileFloat* w, const int8_t* q, std::span<const float> scales,
                     const ColumnSums& sums);

  void (*round_int4)(const TileView& tile, Int4Tile& out);
  /// errors[c]: the squared errors of a column, of an even number of rows. Where neighbours are too
  /// much together, both give up half.
  void (*paired_errors)(const TileView& tile, const PairedGrid& grid, float* errors);
  /// The squared errors of a row's block, in kSumLanes lanes.
  float (*fit_error)(const float* w, size_t count, const Int4Fit& fit);

  /// Those beyond the ends are written to `outside` in their order, which has room for all; null
  /// where there cannot be any.
  ValueLook (*look)(std::span<const float> x, const Range& common, float* outside);
};

/// All that this program was built with, the reference first, the fastest last.
std::span<const RoundingKernels> rounding_kernel_table();

/// The fastest that this processor runs, or the one that $WATTWISE_KERNELS names.
const RoundingKernels& rounding_kernels();

extern const RoundingKernels kScalarKernels;
#if defined(__x86_64__)
extern const RoundingKernels kAvx2Kernels;
extern const RoundingKernels kAvx512Kernels;
#elif defined(__aarch64__)
extern const RoundingKernels kNeonKernels;
#endif

}  // namespace wattwise::quantize
