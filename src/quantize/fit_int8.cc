// SPDX-License-Identifier: Apache-2.0
#include "quantize/fit_int8.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/half.h"

namespace wattwise::quantize {
namespace {

constexpr float kInt8Max = 127;
/// Shares of the scale that keeps the largest weight.
constexpr std::array<float, 7> kTrials = {0.96F, 0.92F, 0.88F, 0.84F, 0.80F, 0.76F, 0.72F};
/// Below, half floats have fewer than 6 bits.
constexpr float kSmallestScale = 0x1p-18F;
constexpr size_t kLanes = 8;

/// Rounds half to even for |x| < 2^22: adding 1.5 x 2^23 leaves no bits for the fraction.
float round_small(float x) {
  constexpr float kNoFraction = 12582912;
  return (x + kNoFraction) - kNoFraction;
}

float round_int8(float weight, float inverse) {
  return std::clamp(round_small(weight * inverse), -kInt8Max, kInt8Max);
}

float error_of(float weight, float scale, float inverse) {
  const float error = weight - round_int8(weight, inverse) * scale;
  return error * error;
}

/// Squared errors are summed in lanes, an order that compilers turn into vectors.
float run_error(const FileFloat* w, size_t count, float scale) {
  const float inverse = 1 / scale;
  std::array<float, kLanes> sums{};
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      sums[lane] += error_of(w[i + lane], scale, inverse);
    }
  }
  float sum = 0;
  for (const float part : sums) sum += part;
  for (; i < count; ++i) sum += error_of(w[i], scale, inverse);
  return sum;
}

/// One row of weights, each of another channel, added to the channels' errors.
void add_row_errors(const FileFloat* w, std::span<const float> scales,
                    std::span<const float> inverse, std::span<float> errors) {
  for (size_t c = 0; c < scales.size(); ++c) errors[c] += error_of(w[c], scales[c], inverse[c]);
}

std::vector<float> inverses(std::span<const float> scales) {
  std::vector<float> out(scales.size());
  std::transform(scales.begin(), scales.end(), out.begin(), [](float scale) { return 1 / scale; });
  return out;
}

std::vector<float> errors_at(Floats weights, const ChannelLayout& layout,
                             std::span<const float> scales) {
  std::vector<float> errors(layout.channels);
  const std::vector<float> inverse = inverses(scales);
  const FileFloat* w = weights.data();
  for (size_t o = 0; o < layout.outer; ++o) {
    if (layout.inner == 1) {
      weights.passed(o * layout.channels);
      add_row_errors(w, scales, inverse, errors);
      w += layout.channels;
      continue;
    }
    for (size_t c = 0; c < layout.channels; ++c, w += layout.inner) {
      weights.passed(static_cast<size_t>(w - weights.data()));
      errors[c] += run_error(w, layout.inner, scales[c]);
    }
  }
  return errors;
}

std::vector<float> largest_scales(Floats weights, const ChannelLayout& layout) {
  std::vector<float> scales(layout.channels);
  const FileFloat* w = weights.data();
  for (size_t o = 0; o < layout.outer; ++o) {
    for (size_t c = 0; c < layout.channels; ++c) {
      weights.passed(static_cast<size_t>(w - weights.data()));
      for (size_t i = 0; i < layout.inner; ++i) scales[c] = std::max(scales[c], std::fabs(*w++));
    }
  }
  for (float& scale : scales) scale = scale > 0 ? scale / kInt8Max : 1;
  return scales;
}

std::vector<float> best_scales(Floats weights, const ChannelLayout& layout) {
  const std::vector<float> largest = largest_scales(weights, layout);
  std::vector<float> best(largest.size());
  std::transform(largest.begin(), largest.end(), best.begin(), scale_of_16_bits);
  std::vector<float> least = errors_at(weights, layout, best);
  std::vector<float> trial(best.size());
  for (const float share : kTrials) {
    std::transform(largest.begin(), largest.end(), trial.begin(),
                   [&](float scale) { return scale_of_16_bits(scale * share); });
    const std::vector<float> errors = errors_at(weights, layout, trial);
    for (size_t c = 0; c < best.size(); ++c) {
      if (errors[c] >= least[c]) continue;
      least[c] = errors[c];
      best[c] = trial[c];
    }
  }
  return best;
}

void fit_part(Floats weights, const ChannelLayout& layout, FittedInt8& out) {
  const std::vector<float> scales = best_scales(weights, layout);
  const std::vector<float> inverse = inverses(scales);
  const FileFloat* w = weights.data();
  for (size_t o = 0; o < layout.outer; ++o) {
    for (size_t c = 0; c < layout.channels; ++c) {
      weights.passed(static_cast<size_t>(w - weights.data()));
      for (size_t i = 0; i < layout.inner; ++i, ++w) {
        const float q = round_int8(*w, inverse[c]);
        const float error = *w - q * scales[c];
        out.quantized.values.push_back(static_cast<int8_t>(q));
        out.signal += *w * *w;
        out.noise += error * error;
      }
    }
  }
  out.quantized.scales.insert(out.quantized.scales.end(), scales.begin(), scales.end());
}

}  // namespace

float scale_of_16_bits(float scale) {
  if (scale < kSmallestScale || scale >= kHalfOverflow) return scale;
  return to_float(to_half(scale));
}

FittedInt8 fit_int8(Floats weights, const PartedLayout& layout) {
  FittedInt8 out;
  const size_t part_size = weights.size() / layout.parts;
  out.quantized.values.reserve(weights.size());
  for (size_t part = 0; part < layout.parts; ++part) {
    if (layout.parts > 1) weights.passed(part * part_size);
    fit_part(weights.subspan(part * part_size, part_size), layout.channels, out);
  }
  return out;
}

Parts parts_of(size_t length, size_t size) {
  Parts best{1, length};
  const auto distance = [&](size_t trial) { return trial > size ? trial - size : size - trial; };
  for (size_t trial = (size * 2 + 2) / 3; trial <= std::min(size * 3 / 2, length / 2); ++trial) {
    if (length % trial != 0) continue;
    if (best.count == 1 || distance(trial) < distance(best.size)) best = {length / trial, trial};
  }
  return best;
}

}  // namespace wattwise::quantize
