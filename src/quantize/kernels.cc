// SPDX-License-Identifier: Apache-2.0
#include "quantize/kernels.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <numeric>

#include "quantize/fit_int8.h"
#include "quantize/simd/rounding_kernels.h"

namespace wattwise::quantize {
namespace {

/// max |w| of every channel.
std::vector<float> channel_maxima(Floats weights, const ChannelLayout& layout) {
  const RoundingKernels& kernels = rounding_kernels();
  std::vector<float> maxima(layout.channels, 0);
  const FileFloat* w = weights.data();
  for (size_t o = 0; o < layout.outer; ++o) {
    weights.passed(static_cast<size_t>(w - weights.data()));
    if (layout.inner == 1) {
      kernels.raise_largest(w, layout.channels, maxima.data());
      w += layout.channels;
      continue;
    }
    for (size_t c = 0; c < layout.channels; ++c, w += layout.inner) {
      maxima[c] = std::max(maxima[c], kernels.largest(w, layout.inner));
      weights.passed(static_cast<size_t>(w - weights.data()));
    }
  }
  return maxima;
}

int breaks_rule(int a, int b) {
  const int same_sign = static_cast<int>((a ^ b) >= 0);
  return same_sign & static_cast<int>(std::abs(a) + std::abs(b) > static_cast<int>(kPairLimit));
}

/// Scales of the columns of [rows, columns]: `exact` keeps the largest weight, `safe` keeps the
/// largest sum of a pair.
struct ScaleBounds {
  std::vector<float> exact, safe;
};

ScaleBounds scale_bounds(Floats weights, size_t rows, size_t columns) {
  ScaleBounds bounds{largest_scales(weights, {rows, columns, 1}), std::vector<float>(columns)};
  for (size_t row = 0; row + 1 < rows; row += 2) {
    weights.passed(row * columns);
    const FileFloat* a = weights.data() + row * columns;
    rounding_kernels().raise_largest_sum(a, a + columns, columns, bounds.safe.data());
  }
  for (size_t column = 0; column < columns; ++column) {
    bounds.safe[column] = std::max(bounds.exact[column], bounds.safe[column] / kPairLimit);
  }
  return bounds;
}

/// Squared errors of the columns when rounded in pairs at these scales.
std::vector<float> pair_errors(Floats weights, std::span<const float> scales, size_t rows) {
  const size_t columns = scales.size();
  std::vector<float> errors(columns);
  const std::vector<float> inverse = inverses(scales);
  for (size_t row = 0; row + 1 < rows; row += 2) {
    weights.passed(row * columns);
    const FileFloat* a = weights.data() + row * columns;
    rounding_kernels().add_pair_errors(a, a + columns, {scales.data(), inverse.data(), columns},
                                       errors.data());
  }
  return errors;
}

/// Of the trials, for each column the one with the least squared error.
std::vector<float> best_pair_scales(Floats weights, size_t rows, size_t columns) {
  const auto trials = pair_scale_trials(weights, rows, columns);
  std::vector<float> best = trials.front();
  if (trials.size() == 1) return best;
  std::vector<float> least = pair_errors(weights, best, rows);
  for (size_t trial = 1; trial < trials.size(); ++trial) {
    const std::vector<float> errors = pair_errors(weights, trials[trial], rows);
    for (size_t c = 0; c < columns; ++c) {
      if (errors[c] >= least[c]) continue;
      least[c] = errors[c];
      best[c] = trials[trial][c];
    }
  }
  return best;
}

}  // namespace

double decibels(double signal, double noise) {
  return noise == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(signal / noise);
}

std::vector<float> inverses(std::span<const float> scales) {
  std::vector<float> out(scales.size());
  std::transform(scales.begin(), scales.end(), out.begin(), [](float scale) { return 1 / scale; });
  return out;
}

std::vector<float> largest_scales(Floats weights, const ChannelLayout& layout) {
  std::vector<float> scales = channel_maxima(weights, layout);
  // Of smaller scales the inverse may not be finite.
  for (float& scale : scales) {
    scale /= kInt8Max;
    if (scale < std::numeric_limits<float>::min()) scale = 1;
  }
  return scales;
}

Int8Weights quantize_int8(Floats weights, const ChannelLayout& layout) {
  return round_int8(weights, layout, largest_scales(weights, layout));
}

Int8Weights round_int8(Floats weights, const ChannelLayout& layout, std::vector<float> scales) {
  const RoundingKernels& kernels = rounding_kernels();
  Int8Weights out{std::vector<int8_t>(weights.size()), std::move(scales)};
  const std::vector<float> inverse = inverses(out.scales);
  size_t at = 0;
  for (size_t o = 0; o < layout.outer; ++o) {
    weights.passed(at);
    if (layout.inner == 1) {
      kernels.round_each(weights.data() + at, inverse, out.values.data() + at);
      at += layout.channels;
      continue;
    }
    for (size_t c = 0; c < layout.channels; ++c, at += layout.inner) {
      weights.passed(at);
      kernels.round(weights.data() + at, layout.inner, out.scales[c], out.values.data() + at);
    }
  }
  return out;
}

std::vector<std::vector<float>> pair_scale_trials(Floats weights, size_t rows, size_t columns) {
  const ScaleBounds bounds = scale_bounds(weights, rows, columns);
  std::vector<std::vector<float>> trials;
  for (const float share : {0.0F, 0.25F, 0.5F, 0.75F, 1.0F}) {
    std::vector<float> scales(columns);
    for (size_t c = 0; c < columns; ++c) {
      const float scale = bounds.exact[c] + share * (bounds.safe[c] - bounds.exact[c]);
      scales[c] = scale_of_16_bits(scale);
    }
    trials.push_back(std::move(scales));
    if (bounds.safe == bounds.exact) break;
  }
  return trials;
}

std::vector<float> pair_scales(Floats weights, size_t rows, size_t columns, ScaleChoice choice) {
  if (choice == ScaleChoice::kLeastError) return best_pair_scales(weights, rows, columns);
  ScaleBounds bounds = scale_bounds(weights, rows, columns);
  std::transform(bounds.safe.begin(), bounds.safe.end(), bounds.safe.begin(), scale_of_16_bits);
  return std::move(bounds.safe);
}

Int8Weights quantize_int8_pairs(Floats weights, size_t rows, size_t columns, ScaleChoice choice) {
  return round_int8_pairs(weights, rows, pair_scales(weights, rows, columns, choice));
}

Int8Weights round_int8_pairs(Floats weights, size_t rows, std::vector<float> scales) {
  Int8Weights out{std::vector<int8_t>(weights.size()), std::move(scales)};
  const size_t columns = out.scales.size();
  const std::vector<float> inverse = inverses(out.scales);
  for (size_t row = 0; row < rows; row += 2) {
    const size_t at = row * columns;
    weights.passed(at);
    if (row + 1 < rows) {
      rounding_kernels().round_pairs(weights.data() + at, inverse, columns, out.values.data() + at);
    } else {
      rounding_kernels().round_each(weights.data() + at, inverse, out.values.data() + at);
    }
  }
  return out;
}

int64_t count_unsafe_pairs(std::span<const int8_t> values, size_t rows, size_t columns) {
  constexpr size_t kStep = 64;  // loops of a fixed length are what compilers vectorize
  int64_t count = 0;
  for (size_t row = 0; row + 1 < rows; row += 2) {
    const int8_t* const a = values.data() + row * columns;
    const int8_t* const b = a + columns;
    size_t column = 0;
    for (; column + kStep <= columns; column += kStep) {
      int broken = 0;
      for (size_t i = column; i < column + kStep; ++i) broken += breaks_rule(a[i], b[i]);
      count += broken;
    }
    for (; column < columns; ++column) count += breaks_rule(a[column], b[column]);
  }
  return count;
}

namespace {

/// What a tile became, to where the operator reads it: block `block` of the columns from `first`
/// on.
struct TilePlace {
  size_t first, columns, block, bytes;
};

void put_tile(const Int4Tile& tile, const TilePlace& place, Int4Blocks& out) {
  const size_t zero_bytes = (out.blocks_per_column + 1) / 2;
  for (size_t c = 0; c < place.columns; ++c) {
    const size_t column = place.first + c;
    const size_t index = column * out.blocks_per_column + place.block;
    out.scales[index] = tile.scale[c];
    put_nibble(out.zeros, column * zero_bytes * 2 + place.block, static_cast<int>(tile.zero[c]));
    std::memcpy(out.packed.data() + index * place.bytes, tile.packed[c].data(), place.bytes);
  }
}

}  // namespace

Int4Blocks quantize_int4(Floats weights, size_t rows, size_t columns, size_t block) {
  assert(block % 2 == 0 && block <= kMostBlockRows);
  Int4Blocks out;
  out.blocks_per_column = (rows + block - 1) / block;
  out.packed.resize(columns * out.blocks_per_column * block / 2);
  out.scales.resize(columns * out.blocks_per_column);
  out.zeros.resize(columns * ((out.blocks_per_column + 1) / 2));
  Int4Tile tile{};
  for (size_t b = 0; b < out.blocks_per_column; ++b) {
    const size_t first = b * block;
    const size_t count = std::min(block, rows - first);
    weights.passed(first * columns);
    if (count < block) tile = {};  // what lies behind the last row is 0
    for (size_t column = 0; column < columns; column += kTileColumns) {
      const size_t width = std::min(kTileColumns, columns - column);
      const FileFloat* corner = weights.data() + first * columns + column;
      rounding_kernels().round_int4({corner, columns, count, width}, tile);
      put_tile(tile, {column, width, b, block / 2}, out);
    }
  }
  return out;
}

RoundingLoss rounding_loss(Floats weights, const Int8Weights& quantized,
                           const ChannelLayout& layout) {
  const RoundingKernels& kernels = rounding_kernels();
  std::vector<float> signal(layout.channels);
  std::vector<float> noise(layout.channels);
  const int8_t* values = quantized.values.data();
  size_t at = 0;
  for (size_t o = 0; o < layout.outer; ++o) {
    weights.passed(at);
    if (layout.inner == 1) {
      const ColumnSums sums{signal.data(), noise.data()};
      kernels.add_losses(weights.data() + at, values + at, quantized.scales, sums);
      at += layout.channels;
      continue;
    }
    for (size_t c = 0; c < layout.channels; ++c, at += layout.inner) {
      weights.passed(at);
      const SquaredSums sums =
          kernels.loss(weights.data() + at, values + at, layout.inner, quantized.scales[c]);
      signal[c] += sums.signal;
      noise[c] += sums.noise;
    }
  }
  return {std::accumulate(signal.begin(), signal.end(), 0.0),
          std::accumulate(noise.begin(), noise.end(), 0.0)};
}

double weight_sqnr_db(Floats weights, const Int8Weights& quantized, const ChannelLayout& layout) {
  const RoundingLoss loss = rounding_loss(weights, quantized, layout);
  return decibels(loss.signal, loss.noise);
}

}  // namespace wattwise::quantize
