// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quantize/floats.h"

namespace wattwise::quantize {

/// A row-major array seen as [outer, channels, inner]: one scale per channel.
struct ChannelLayout {
  size_t outer = 1;
  size_t channels = 1;
  size_t inner = 1;
};

/// The largest integer that stands for a weight.
inline constexpr float kInt8Max = 127;
/// Two products of 255 x w fit 16 bits when the weights' magnitudes add up to this.
inline constexpr float kPairLimit = 128;

/// Two values of 0..15 a byte, the lower half first; what is there must be 0.
inline void put_nibble(std::span<uint8_t> packed, size_t index, int value) {
  packed[index / 2] = static_cast<uint8_t>(packed[index / 2] | (value << (index % 2 * 4)));
}

/// `count` values in rows of `row`, two neighbours a byte; an odd one at the end of a row gets its
/// own.
template <typename NibbleAt>
std::vector<uint8_t> pack_nibbles(size_t count, size_t row, const NibbleAt& nibble_at) {
  const size_t stride = row + row % 2;
  std::vector<uint8_t> packed(count / row * stride / 2);
  for (size_t first = 0; first < count; first += row) {
    for (size_t i = 0; i < row; ++i) {
      put_nibble(packed, first / row * stride + i, nibble_at(first + i));
    }
  }
  return packed;
}

/// Symmetric int8: w = scale[c] x q, q in -127..127, scale = max |w| / 127, rounding half to even.
/// A channel of zeros, or of what has no normal scale, gets the scale 1.
struct Int8Weights {
  std::vector<int8_t> values;
  std::vector<float> scales;
};
Int8Weights quantize_int8(Floats weights, const ChannelLayout& layout);
/// The same at other scales; what lies beyond 127 of them is cut off.
Int8Weights round_int8(Floats weights, const ChannelLayout& layout, std::vector<float> scales);
std::vector<float> largest_scales(Floats weights, const ChannelLayout& layout);
/// 1 / scale
std::vector<float> inverses(std::span<const float> scales);

/// Which integers weights may become that integer kernels multiply.
enum class WeightRange {
  kPairAware,  ///< the rule of quantize_int8_pairs(): the same answers on every processor
  kFull,       ///< all from -127 to 127: for processors that add without saturation, as VNNI does
};

/// How the scale of a channel is chosen.
enum class ScaleChoice {
  kLeastError,   ///< searched: the one with the least squared error, which may cut weights off
  kKeepLargest,  ///< the one that just keeps the largest weight, and the largest pair
};

/// int8 per column of [rows, columns], safe for processors that add two products of unsigned by
/// signed bytes in 16 saturating bits (VPMADDUBSW): neighbours of equal sign along the rows, at 2i
/// and 2i+1, have |a| + |b| <= 128. The scale of a column is the best of five, by squared error,
/// between the one that keeps its largest weight and the one that keeps its largest pair, each
/// rounded to 16 bits; the last one if nothing is to be cut off.
Int8Weights quantize_int8_pairs(Floats weights, size_t rows, size_t columns,
                                ScaleChoice choice = ScaleChoice::kLeastError);
/// The two halves of it: the scales, and rounding at given ones, which must not be smaller than a
/// 127th of the column's largest weight.
std::vector<float> pair_scales(Floats weights, size_t rows, size_t columns,
                               ScaleChoice choice = ScaleChoice::kLeastError);
Int8Weights round_int8_pairs(Floats weights, size_t rows, std::vector<float> scales);
/// What the search looks at: scales of all columns, the finest first; one of them if nothing is to
/// be cut off anywhere.
std::vector<std::vector<float>> pair_scale_trials(Floats weights, size_t rows, size_t columns);
/// Pairs that break the rule.
int64_t count_unsafe_pairs(std::span<const int8_t> values, size_t rows, size_t columns);

/// Weights [rows, columns] in blocks of `block` along the rows of each column, as MatMulNBits keeps
/// them: w = scale x (q - zero), q in 0..15, over the range of the weights and zero. `block` is
/// even and at most 256.
struct Int4Blocks {
  size_t blocks_per_column = 0;
  std::vector<uint8_t> packed;  ///< [columns, blocks, block / 2], low nibble first
  std::vector<float> scales;    ///< [columns, blocks]
  std::vector<uint8_t> zeros;   ///< [columns, (blocks + 1) / 2], low nibble first
};
Int4Blocks quantize_int4(Floats weights, size_t rows, size_t columns, size_t block);

/// How the configuration wants matrices cut into blocks of 4 bits.
struct Int4Blocking {
  size_t block = 0;           ///< rows that share a scale, a power of two from 16 to 256; 0: chosen
  bool is_symmetric = false;  ///< without zero points: -8 to 7 steps
};

/// 10 log10(signal / noise); infinite without noise.
double decibels(double signal, double noise);
/// Weights against what int8 keeps of them.
struct RoundingLoss {
  double signal = 0;  ///< sum of the squared weights
  double noise = 0;   ///< sum of the squared errors
};
RoundingLoss rounding_loss(Floats weights, const Int8Weights& quantized,
                           const ChannelLayout& layout);
/// The same in decibels.
double weight_sqnr_db(Floats weights, const Int8Weights& quantized, const ChannelLayout& layout);

}  // namespace wattwise::quantize
