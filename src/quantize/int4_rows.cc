// SPDX-License-Identifier: Apache-2.0
#include "quantize/int4_rows.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>

#include "core/extremes.h"
#include "quantize/fit_int8.h"
#include "quantize/simd/rounding_kernels.h"

namespace wattwise::quantize {
namespace {

constexpr float kMost = 15;
/// Factors that are tried below the one that keeps all weights of a block.
constexpr int kRowTrials = 4;

float round_int4(float weight, const Int4Fit& fit, float inverse) {
  return std::clamp(round_small(weight * inverse) + fit.zero, 0.0F, kMost);
}

/// What a block spans, zero included.
struct Span {
  float low = 0;
  float high = 0;
  float step() const { return (high - low) / kMost; }
};

Span span_of(std::span<const float> block) {
  const Extremes found = extremes_of(block);
  return {std::min(found.low, 0.0F), std::max(found.high, 0.0F)};
}

/// The zero that centres what the step can represent on what the block spans.
Int4Fit centred(const Span& span, float step) {
  const float middle = (span.low + span.high) / 2;
  return {step, std::clamp(std::nearbyint(kMost / 2 - middle / step), 0.0F, kMost)};
}

float keeping_factor(const Span& span, float scale) {
  return std::clamp(std::ceil(span.step() / scale), 1.0F, kMost);
}

float best_factor(std::span<const float> block, const Span& span, float scale) {
  const float keeping = keeping_factor(span, scale);
  float best = keeping;
  float least = std::numeric_limits<float>::infinity();
  for (float factor = keeping; factor >= 1 && factor > keeping - kRowTrials; --factor) {
    const Int4Fit fit = centred(span, factor * scale);
    const float error = rounding_kernels().fit_error(block.data(), block.size(), fit);
    if (error >= least) continue;
    least = error;
    best = factor;
  }
  return best;
}

struct Blocks {
  size_t size;
  ScaleChoice choice;
};

/// Rounds one row into the places of `out`.
void round_row(std::span<const float> row, const Blocks& cut, size_t index, Int4Rows& out) {
  const size_t block = cut.size;
  const size_t blocks = row.size() / block;
  std::vector<Span> spans(blocks);
  float largest = 0;
  for (size_t b = 0; b < blocks; ++b) {
    spans[b] = span_of(row.subspan(b * block, block));
    largest = std::max(largest, spans[b].step());
  }
  const float scale = normal_scale_of_16_bits(largest / kMost, 1);
  out.scales[index] = scale;
  for (size_t b = 0; b < blocks; ++b) {
    const float factor = cut.choice == ScaleChoice::kKeepLargest
                             ? keeping_factor(spans[b], scale)
                             : best_factor(row.subspan(b * block, block), spans[b], scale);
    const Int4Fit fit = centred(spans[b], factor * scale);
    out.factors[index * blocks + b] = static_cast<uint8_t>(factor);
    out.zeros[index * blocks + b] = static_cast<uint8_t>(fit.zero);
    // Bytes may lie anywhere, sums of doubles among them, unless these are variables.
    double signal = out.signal;
    double noise = out.noise;
    uint8_t* const values = out.values.data() + index * row.size();
    const float inverse = 1 / fit.step;
    for (size_t i = b * block; i < (b + 1) * block; ++i) {
      const float q = round_int4(row[i], fit, inverse);
      const float error = row[i] - fit.step * (q - fit.zero);
      values[i] = static_cast<uint8_t>(q);
      signal += row[i] * row[i];
      noise += error * error;
    }
    out.signal = signal;
    out.noise = noise;
  }
}

}  // namespace

Int4Rows fit_int4_rows(Floats weights, size_t width, size_t block, ScaleChoice choice) {
  const size_t rows = weights.size() / width;
  const size_t blocks = width / block;
  Int4Rows out;
  out.values.resize(rows * width);
  out.scales.resize(rows);
  out.factors.resize(rows * blocks);
  out.zeros.resize(rows * blocks);
  std::vector<float> row(width);
  for (size_t i = 0; i < rows; ++i) {
    weights.passed(i * width);
    const Floats given = weights.subspan(i * width, width);
    std::copy(given.begin(), given.end(), row.begin());
    round_row(row, {block, choice}, i, out);
  }
  return out;
}

}  // namespace wattwise::quantize
