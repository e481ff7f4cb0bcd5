// SPDX-License-Identifier: Apache-2.0
#include "quantize/kernels.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace wattwise::quantize {
namespace {

constexpr float kInt8Max = 127;
/// Two products of 255 x w fit 32767 when the weights' magnitudes add up to this.
constexpr int kPairLimit = 128;
constexpr float kInt4Max = 15;

double decibels(double signal, double noise) {
  return noise == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(signal / noise);
}

/// max |w| of every channel.
std::vector<float> channel_maxima(std::span<const float> weights, const ChannelLayout& layout) {
  std::vector<float> maxima(layout.channels, 0);
  const float* w = weights.data();
  for (size_t o = 0; o < layout.outer; ++o) {
    for (size_t c = 0; c < layout.channels; ++c) {
      float largest = maxima[c];
      for (size_t i = 0; i < layout.inner; ++i) largest = std::max(largest, std::fabs(*w++));
      maxima[c] = largest;
    }
  }
  return maxima;
}

bool breaks_rule(int a, int b) {
  return (a < 0) == (b < 0) && std::abs(a) + std::abs(b) > kPairLimit;
}

/// One block of a column: its scale and zero point, and its 4-bit values.
struct Block {
  float scale = 1;
  uint8_t zero = 0;
};

Block fit_block(const float* column, size_t stride, size_t count) {
  float low = 0;
  float high = 0;
  for (size_t i = 0; i < count; ++i) {
    low = std::min(low, column[i * stride]);
    high = std::max(high, column[i * stride]);
  }
  if (low == high) return {1, 0};
  const float scale = (high - low) / kInt4Max;
  return {scale, static_cast<uint8_t>(std::nearbyint(-low / scale))};
}

uint8_t round_int4(float weight, const Block& block) {
  const float q = std::nearbyint(weight / block.scale) + static_cast<float>(block.zero);
  return static_cast<uint8_t>(std::clamp(q, 0.0F, kInt4Max));
}

void put_nibble(std::vector<uint8_t>& packed, size_t index, uint8_t value) {
  packed[index / 2] = static_cast<uint8_t>(packed[index / 2] | (value << (index % 2 * 4)));
}

uint8_t get_nibble(const std::vector<uint8_t>& packed, size_t index) {
  return (packed[index / 2] >> (index % 2 * 4)) & 0xf;
}

}  // namespace

Int8Weights quantize_int8(std::span<const float> weights, const ChannelLayout& layout) {
  Int8Weights out;
  out.scales = channel_maxima(weights, layout);
  for (float& scale : out.scales) scale = scale > 0 ? scale / kInt8Max : 1;
  out.values.resize(weights.size());
  size_t at = 0;
  for (size_t o = 0; o < layout.outer; ++o) {
    for (size_t c = 0; c < layout.channels; ++c) {
      const float scale = out.scales[c];
      for (size_t i = 0; i < layout.inner; ++i, ++at) {
        const float q = std::nearbyint(weights[at] / scale);
        out.values[at] = static_cast<int8_t>(std::clamp(q, -kInt8Max, kInt8Max));
      }
    }
  }
  return out;
}

int64_t limit_pairs(std::span<int8_t> values, size_t rows, size_t columns) {
  int64_t changed = 0;
  for (size_t row = 0; row + 1 < rows; row += 2) {
    for (size_t column = 0; column < columns; ++column) {
      int8_t& a = values[row * columns + column];
      int8_t& b = values[(row + 1) * columns + column];
      if (!breaks_rule(a, b)) continue;
      const int excess = std::abs(a) + std::abs(b) - kPairLimit;
      const int sign = a < 0 ? -1 : 1;
      a = static_cast<int8_t>(a - sign * (excess / 2));
      b = static_cast<int8_t>(b - sign * (excess - excess / 2));
      ++changed;
    }
  }
  return changed;
}

int64_t count_unsafe_pairs(std::span<const int8_t> values, size_t rows, size_t columns) {
  int64_t count = 0;
  for (size_t row = 0; row + 1 < rows; row += 2) {
    for (size_t column = 0; column < columns; ++column) {
      count += breaks_rule(values[row * columns + column], values[(row + 1) * columns + column]);
    }
  }
  return count;
}

Int4Blocks quantize_int4(std::span<const float> weights, size_t rows, size_t columns,
                         size_t block) {
  Int4Blocks out;
  out.blocks_per_column = (rows + block - 1) / block;
  const size_t zero_bytes = (out.blocks_per_column + 1) / 2;
  out.packed.resize(columns * out.blocks_per_column * block / 2);
  out.scales.resize(columns * out.blocks_per_column);
  out.zeros.resize(columns * zero_bytes);
  for (size_t column = 0; column < columns; ++column) {
    for (size_t b = 0; b < out.blocks_per_column; ++b) {
      const size_t first = b * block;
      const size_t count = std::min(block, rows - first);
      const float* start = weights.data() + first * columns + column;
      const Block fitted = fit_block(start, columns, count);
      const size_t index = column * out.blocks_per_column + b;
      out.scales[index] = fitted.scale;
      put_nibble(out.zeros, column * zero_bytes * 2 + b, fitted.zero);
      for (size_t i = 0; i < count; ++i) {
        put_nibble(out.packed, index * block + i, round_int4(start[i * columns], fitted));
      }
    }
  }
  return out;
}

double weight_sqnr_db(std::span<const float> weights, const Int8Weights& quantized,
                      const ChannelLayout& layout) {
  double signal = 0;
  double noise = 0;
  size_t at = 0;
  for (size_t o = 0; o < layout.outer; ++o) {
    for (size_t c = 0; c < layout.channels; ++c) {
      for (size_t i = 0; i < layout.inner; ++i, ++at) {
        const float error = weights[at] - quantized.scales[c] * quantized.values[at];
        signal += weights[at] * weights[at];
        noise += error * error;
      }
    }
  }
  return decibels(signal, noise);
}

double weight_sqnr_db(std::span<const float> weights, const Int4Blocks& quantized, size_t rows,
                      size_t columns, size_t block) {
  double signal = 0;
  double noise = 0;
  const size_t zero_bytes = (quantized.blocks_per_column + 1) / 2;
  for (size_t column = 0; column < columns; ++column) {
    for (size_t row = 0; row < rows; ++row) {
      const size_t index = column * quantized.blocks_per_column + row / block;
      const int q = get_nibble(quantized.packed, index * block + row % block);
      const int zero = get_nibble(quantized.zeros, column * zero_bytes * 2 + row / block);
      const float weight = weights[row * columns + column];
      const float error = weight - quantized.scales[index] * static_cast<float>(q - zero);
      signal += weight * weight;
      noise += error * error;
    }
  }
  return decibels(signal, noise);
}

}  // namespace wattwise::quantize
