// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "quantize/kernels.h"
#include "quantize/simd/rounding_kernels.h"

// What the kernels do with single weights: the reference, and the ends of rows that fill no vector.
// Comparisons are written as the vectors' are, so that NaN goes the same way.
namespace wattwise::quantize::elements {

inline constexpr float kInt4Max = 15;
inline constexpr float kInt4Low = -8;
inline constexpr float kInt4High = 7;
/// 1.5 x 2^23: adding it leaves no bits for the fraction.
inline constexpr float kNoFraction = 12582912;
inline constexpr float kSmallestNormal = 0x1p-126F;

inline float larger(float a, float b) { return a > b ? a : b; }
inline float smaller(float a, float b) { return a < b ? a : b; }

/// Rounds half to even for |x| < 2^22.
inline float round_small(float x) { return (x + kNoFraction) - kNoFraction; }

inline float round_int8(float weight, float inverse) {
  return smaller(larger(round_small(weight * inverse), -kInt8Max), kInt8Max);
}

inline float square_of_error(float weight, float q, float scale) {
  const float error = weight - q * scale;
  return error * error;
}

struct Pair {
  float a, b;
};

inline Pair round_pair(float a, float b, float inverse) {
  const float qa = round_int8(a, inverse);
  const float qb = round_int8(b, inverse);
  const float sum = qa + qb;
  const float excess = larger(std::fabs(sum) - kPairLimit, 0);
  // Half of it without the fraction, since the quarter rounds down.
  const float half = round_small(excess * 0.5F - 0.25F);
  const float rest = excess - half;
  // Only neighbours of equal sign add up to more than the limit: the sum's sign is that of both.
  return {qa - (sum > 0 ? half : -half), qb - (sum > 0 ? rest : -rest)};
}

inline float limit_int4(float q) { return smaller(larger(q, 0), kInt4Max); }

inline float round_fit(float weight, const Int4Fit& fit, float inverse) {
  return limit_int4(round_small(weight * inverse) + fit.zero);
}

inline float round_signed_int4(float weight, float inverse) {
  return smaller(larger(round_small(weight * inverse), kInt4Low), kInt4High);
}

inline float paired_error(const TileView& tile, const PairedGrid& grid, size_t c) {
  const float step = grid.step[c];
  const float inverse = 1 / step;
  float sum = 0;
  for (size_t i = 0; i < tile.rows; i += 2) {
    const float a = tile.first[i * tile.stride + c];
    const float b = tile.first[(i + 1) * tile.stride + c];
    const float qa = round_signed_int4(a, inverse);
    const float qb = round_signed_int4(b, inverse);
    const float half = 0.5F * larger(std::fabs(qa + qb) - grid.limit[c], 0);
    const float of_a = square_of_error(a, qa - std::copysign(half, qa), step);
    const float of_b = square_of_error(b, qb - std::copysign(half, qb), step);
    sum +=
        grid.importance ? grid.importance[i] * of_a + grid.importance[i + 1] * of_b : of_a + of_b;
  }
  return sum;
}

inline void round_block(const TileView& tile, size_t c, Int4Tile& out) {
  float low = 0;
  float high = 0;
  for (size_t i = 0; i < tile.rows; ++i) {
    const float x = tile.first[i * tile.stride + c];
    low = smaller(x, low);
    high = larger(x, high);
  }
  const float step = (high - low) / kInt4Max;
  const bool flat = !(step >= kSmallestNormal);
  const float scale = flat ? 1 : step;
  const float inverse = 1 / scale;
  const float zero = flat ? 0 : limit_int4(round_small(-low * inverse));
  std::fill_n(out.packed[c].begin(), (tile.rows + 1) / 2, 0);
  for (size_t i = 0; i < tile.rows; ++i) {
    const float x = tile.first[i * tile.stride + c];
    const float q = limit_int4(round_small(x * inverse) + zero);
    out.packed[c][i / 2] |= static_cast<uint8_t>(static_cast<int>(q) << (i % 2 * 4));
  }
  out.scale[c] = scale;
  out.zero[c] = zero;
}

}  // namespace wattwise::quantize::elements
