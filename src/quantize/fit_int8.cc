// SPDX-License-Identifier: Apache-2.0
#include "quantize/fit_int8.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/half.h"
#include "quantize/simd/rounding_kernels.h"

namespace wattwise::quantize {
namespace {

/// Shares of the scale that keeps the largest weight.
constexpr std::array<float, 7> kTrials = {0.96F, 0.92F, 0.88F, 0.84F, 0.80F, 0.76F, 0.72F};
/// Below, half floats have fewer than 6 bits.
constexpr float kSmallestScale = 0x1p-18F;
std::vector<float> errors_at(Floats weights, const ChannelLayout& layout,
                             std::span<const float> scales) {
  std::vector<float> errors(layout.channels);
  const std::vector<float> inverse = inverses(scales);
  const RoundingKernels& kernels = rounding_kernels();
  const FileFloat* w = weights.data();
  for (size_t o = 0; o < layout.outer; ++o) {
    if (layout.inner == 1) {
      weights.passed(o * layout.channels);
      kernels.add_errors(w, {scales.data(), inverse.data(), layout.channels}, errors.data());
      w += layout.channels;
      continue;
    }
    for (size_t c = 0; c < layout.channels; ++c, w += layout.inner) {
      weights.passed(static_cast<size_t>(w - weights.data()));
      errors[c] += kernels.round_error(w, layout.inner, scales[c]).noise;
    }
  }
  return errors;
}

/// The best of the trials for one channel, whose weights lie side by side.
float best_scale(const FileFloat* w, size_t count, float largest) {
  const RoundingKernels& kernels = rounding_kernels();
  float best = scale_of_16_bits(largest);
  float least = kernels.round_error(w, count, best).noise;
  for (const float share : kTrials) {
    const float trial = scale_of_16_bits(largest * share);
    const float error = kernels.round_error(w, count, trial).noise;
    if (error >= least) continue;
    least = error;
    best = trial;
  }
  return best;
}

std::vector<float> best_scales(Floats weights, const ChannelLayout& layout, ScaleChoice choice) {
  std::vector<float> largest = largest_scales(weights, layout);
  if (choice == ScaleChoice::kKeepLargest) {
    std::transform(largest.begin(), largest.end(), largest.begin(), scale_of_16_bits);
    return largest;
  }
  std::vector<float> best(largest.size());
  if (layout.outer == 1 && layout.inner > 1) {
    for (size_t c = 0; c < layout.channels; ++c) {
      weights.passed(c * layout.inner);
      best[c] = best_scale(weights.data() + c * layout.inner, layout.inner, largest[c]);
    }
    return best;
  }
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

void fit_part(Floats weights, const PartedLayout& parted, FittedInt8& out) {
  const ChannelLayout& layout = parted.channels;
  Int8Weights part = round_int8(weights, layout, best_scales(weights, layout, parted.choice));
  const RoundingLoss loss = rounding_loss(weights, part, layout);
  out.signal += loss.signal;
  out.noise += loss.noise;
  if (parted.parts == 1) {
    out.quantized = std::move(part);
    return;
  }
  auto& [values, scales] = out.quantized;
  values.reserve(weights.size() * parted.parts);
  values.insert(values.end(), part.values.begin(), part.values.end());
  scales.insert(scales.end(), part.scales.begin(), part.scales.end());
}

}  // namespace

float scale_of_16_bits(float scale) {
  if (scale < kSmallestScale || scale >= kHalfOverflow) return scale;
  return to_float(to_half(scale));
}

float normal_scale_of_16_bits(float scale, float otherwise) {
  return scale >= std::numeric_limits<float>::min() ? scale_of_16_bits(scale) : otherwise;
}

FittedInt8 fit_int8(Floats weights, const PartedLayout& layout) {
  FittedInt8 out;
  const size_t part_size = weights.size() / layout.parts;
  for (size_t part = 0; part < layout.parts; ++part) {
    if (layout.parts > 1) weights.passed(part * part_size);
    fit_part(weights.subspan(part * part_size, part_size), layout, out);
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
