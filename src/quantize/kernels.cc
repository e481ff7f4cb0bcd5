// SPDX-License-Identifier: Apache-2.0
#include "quantize/kernels.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "quantize/fit_int8.h"

namespace wattwise::quantize {
namespace {

constexpr float kInt8Max = 127;
/// Two products of 255 x w fit 32767 when the weights' magnitudes add up to this.
constexpr int kPairLimit = 128;
constexpr float kInt4Max = 15;
/// Rows of the largest block.
constexpr size_t kMaxBlock = 256;

/// max |w| of every channel.
std::vector<float> channel_maxima(Floats weights, const ChannelLayout& layout) {
  std::vector<float> maxima(layout.channels, 0);
  const FileFloat* w = weights.data();
  for (size_t o = 0; o < layout.outer; ++o) {
    for (size_t c = 0; c < layout.channels; ++c) {
      weights.passed(static_cast<size_t>(w - weights.data()));
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

/// Rounds half to even for |x| < 2^22, in a form that every compiler vectorizes: adding 1.5 x 2^23
/// leaves no bits for the fraction.
float round_small(float x) {
  constexpr float kNoFraction = 12582912;
  return (x + kNoFraction) - kNoFraction;
}

struct Pair {
  float a, b;
};

/// The two values of a pair at a scale, within the rule. Both give up half of the excess; the odd
/// one is the second's.
Pair round_pair(float a, float b, float inverse) {
  const float qa = std::clamp(round_small(a * inverse), -kInt8Max, kInt8Max);
  const float qb = std::clamp(round_small(b * inverse), -kInt8Max, kInt8Max);
  const float excess = std::max(std::fabs(qa + qb) - kPairLimit, 0.0F);
  const float half = std::trunc(excess * 0.5F);
  // Only neighbours of equal sign add up to more than 128, so the sum's sign is that of both.
  return {qa - std::copysign(half, qa), qb - std::copysign(excess - half, qb)};
}

/// Scales of the columns of [rows, columns]: `exact` keeps the largest weight, `safe` keeps the
/// largest sum of a pair.
struct ScaleBounds {
  std::vector<float> exact, safe;
};

ScaleBounds scale_bounds(Floats weights, size_t rows, size_t columns) {
  ScaleBounds bounds{std::vector<float>(columns), std::vector<float>(columns)};
  const auto sum = [&](size_t row, size_t column) {
    const float a = weights[row * columns + column];
    return row + 1 < rows ? std::fabs(a + weights[(row + 1) * columns + column]) : 0;
  };
  for (size_t row = 0; row < rows; ++row) {
    weights.passed(row * columns);
    for (size_t column = 0; column < columns; ++column) {
      float& largest = bounds.exact[column];
      largest = std::max(largest, std::fabs(weights[row * columns + column]));
    }
  }
  for (size_t row = 0; row < rows; row += 2) {
    weights.passed(row * columns);
    for (size_t column = 0; column < columns; ++column) {
      bounds.safe[column] = std::max(bounds.safe[column], sum(row, column));
    }
  }
  for (size_t column = 0; column < columns; ++column) {
    float& exact = bounds.exact[column];
    exact = exact > 0 ? exact / kInt8Max : 1;
    bounds.safe[column] = std::max(exact, bounds.safe[column] / kPairLimit);
  }
  return bounds;
}

/// Squared errors of the columns when rounded in pairs at these scales.
std::vector<float> pair_errors(Floats weights, std::span<const float> scales, size_t rows) {
  const size_t columns = scales.size();
  std::vector<float> errors(columns), inverse(columns);
  for (size_t c = 0; c < columns; ++c) inverse[c] = 1 / scales[c];
  for (size_t row = 0; row + 1 < rows; row += 2) {
    weights.passed(row * columns);
    const FileFloat* a = weights.data() + row * columns;
    const FileFloat* b = a + columns;
    for (size_t c = 0; c < columns; ++c) {
      const Pair q = round_pair(a[c], b[c], inverse[c]);
      const float error_a = a[c] - q.a * scales[c];
      const float error_b = b[c] - q.b * scales[c];
      errors[c] += error_a * error_a + error_b * error_b;
    }
  }
  return errors;
}

/// Between keeping every weight and keeping every pair, the scales with the least squared error.
std::vector<float> best_pair_scales(Floats weights, size_t rows, size_t columns) {
  const ScaleBounds bounds = scale_bounds(weights, rows, columns);
  std::vector<float> best(columns);
  std::transform(bounds.exact.begin(), bounds.exact.end(), best.begin(), scale_of_16_bits);
  if (bounds.safe == bounds.exact) return best;
  std::vector<float> least = pair_errors(weights, best, rows);
  for (const float share : {0.25F, 0.5F, 0.75F, 1.0F}) {
    std::vector<float> scales(columns);
    for (size_t c = 0; c < columns; ++c) {
      const float scale = bounds.exact[c] + share * (bounds.safe[c] - bounds.exact[c]);
      scales[c] = scale_of_16_bits(scale);
    }
    const std::vector<float> errors = pair_errors(weights, scales, rows);
    for (size_t c = 0; c < columns; ++c) {
      if (errors[c] >= least[c]) continue;
      least[c] = errors[c];
      best[c] = scales[c];
    }
  }
  return best;
}

/// Columns that are rounded side by side, so that rows are read as they lie.
constexpr size_t kTile = 64;

/// Blocks of neighbouring columns: a scale and a zero point each.
struct BlockTile {
  std::array<float, kTile> scale;
  std::array<float, kTile> zero;
};

/// `rows` rows of `columns` columns (at most kTile) from `first` on, `stride` floats apart.
struct TileView {
  const FileFloat* first;
  size_t stride;
  size_t rows;
  size_t columns;
};

BlockTile fit_blocks(const TileView& tile) {
  std::array<float, kTile> low{};
  std::array<float, kTile> high{};
  for (size_t i = 0; i < tile.rows; ++i) {
    const FileFloat* row = tile.first + i * tile.stride;
    for (size_t c = 0; c < tile.columns; ++c) {
      low[c] = std::min<float>(low[c], row[c]);
      high[c] = std::max<float>(high[c], row[c]);
    }
  }
  BlockTile out{};
  for (size_t c = 0; c < tile.columns; ++c) {
    const bool flat = low[c] == high[c];
    out.scale[c] = flat ? 1 : (high[c] - low[c]) / kInt4Max;
    out.zero[c] = flat ? 0 : std::nearbyint(-low[c] / out.scale[c]);
  }
  return out;
}

/// The 4-bit values of a tile, one a byte.
using TileValues = std::array<std::array<uint8_t, kTile>, kMaxBlock>;

void round_int4(const TileView& tile, const BlockTile& blocks, TileValues& values) {
  for (size_t i = 0; i < tile.rows; ++i) {
    const FileFloat* row = tile.first + i * tile.stride;
    for (size_t c = 0; c < tile.columns; ++c) {
      const float q = round_small(row[c] / blocks.scale[c]) + blocks.zero[c];
      values[i][c] = static_cast<uint8_t>(std::clamp(q, 0.0F, kInt4Max));
    }
  }
}

void put_nibble(std::vector<uint8_t>& packed, size_t index, uint8_t value) {
  packed[index / 2] = static_cast<uint8_t>(packed[index / 2] | (value << (index % 2 * 4)));
}

uint8_t get_nibble(const std::vector<uint8_t>& packed, size_t index) {
  return (packed[index / 2] >> (index % 2 * 4)) & 0xf;
}

}  // namespace

double decibels(double signal, double noise) {
  return noise == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(signal / noise);
}

Int8Weights quantize_int8(Floats weights, const ChannelLayout& layout) {
  Int8Weights out;
  out.scales = channel_maxima(weights, layout);
  for (float& scale : out.scales) scale = scale > 0 ? scale / kInt8Max : 1;
  out.values.resize(weights.size());
  size_t at = 0;
  for (size_t o = 0; o < layout.outer; ++o) {
    for (size_t c = 0; c < layout.channels; ++c) {
      const float scale = out.scales[c];
      weights.passed(at);
      for (size_t i = 0; i < layout.inner; ++i, ++at) {
        const float q = round_small(weights[at] / scale);
        out.values[at] = static_cast<int8_t>(std::clamp(q, -kInt8Max, kInt8Max));
      }
    }
  }
  return out;
}

std::vector<float> pair_scales(Floats weights, size_t rows, size_t columns) {
  return best_pair_scales(weights, rows, columns);
}

Int8Weights quantize_int8_pairs(Floats weights, size_t rows, size_t columns) {
  return round_int8_pairs(weights, rows, pair_scales(weights, rows, columns));
}

Int8Weights round_int8_pairs(Floats weights, size_t rows, std::vector<float> scales) {
  Int8Weights out;
  out.scales = std::move(scales);
  const size_t columns = out.scales.size();
  out.values.resize(weights.size());
  for (size_t row = 0; row < rows; row += 2) {
    const bool has_second = row + 1 < rows;
    weights.passed(row * columns);
    for (size_t c = 0; c < columns; ++c) {
      const size_t at = row * columns + c;
      const float second = has_second ? weights[at + columns] : 0;
      const Pair q = round_pair(weights[at], second, 1 / out.scales[c]);
      out.values[at] = static_cast<int8_t>(q.a);
      if (has_second) out.values[at + columns] = static_cast<int8_t>(q.b);
    }
  }
  return out;
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

Int4Blocks quantize_int4(Floats weights, size_t rows, size_t columns, size_t block) {
  assert(block % 2 == 0 && block <= kMaxBlock);
  Int4Blocks out;
  out.blocks_per_column = (rows + block - 1) / block;
  const size_t zero_bytes = (out.blocks_per_column + 1) / 2;
  out.packed.resize(columns * out.blocks_per_column * block / 2);
  out.scales.resize(columns * out.blocks_per_column);
  out.zeros.resize(columns * zero_bytes);
  TileValues values{};
  for (size_t b = 0; b < out.blocks_per_column; ++b) {
    const size_t first = b * block;
    weights.passed(first * columns);
    for (size_t column = 0; column < columns; column += kTile) {
      const TileView tile{weights.data() + first * columns + column, columns,
                          std::min(block, rows - first), std::min(kTile, columns - column)};
      const BlockTile fitted = fit_blocks(tile);
      round_int4(tile, fitted, values);
      for (size_t c = 0; c < tile.columns; ++c) {
        const size_t index = (column + c) * out.blocks_per_column + b;
        out.scales[index] = fitted.scale[c];
        put_nibble(out.zeros, (column + c) * zero_bytes * 2 + b,
                   static_cast<uint8_t>(fitted.zero[c]));
        uint8_t* packed = out.packed.data() + index * block / 2;
        for (size_t i = 0; i < tile.rows; ++i) {
          packed[i / 2] = static_cast<uint8_t>(packed[i / 2] | (values[i][c] << (i % 2 * 4)));
        }
      }
    }
  }
  return out;
}

double weight_sqnr_db(Floats weights, const Int8Weights& quantized, const ChannelLayout& layout) {
  double signal = 0;
  double noise = 0;
  size_t at = 0;
  for (size_t o = 0; o < layout.outer; ++o) {
    for (size_t c = 0; c < layout.channels; ++c) {
      weights.passed(at);
      for (size_t i = 0; i < layout.inner; ++i, ++at) {
        const float error = weights[at] - quantized.scales[c] * quantized.values[at];
        signal += weights[at] * weights[at];
        noise += error * error;
      }
    }
  }
  return decibels(signal, noise);
}

double weight_sqnr_db(Floats weights, const Int4Blocks& quantized, size_t columns, size_t block) {
  const size_t rows = weights.size() / columns;
  double signal = 0;
  double noise = 0;
  const size_t zero_bytes = (quantized.blocks_per_column + 1) / 2;
  for (size_t row = 0; row < rows; ++row) {
    weights.passed(row * columns);
    for (size_t column = 0; column < columns; ++column) {
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
