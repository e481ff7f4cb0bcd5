// SPDX-License-Identifier: Apache-2.0
#include "quantize/diagnose.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "quantize/simd/rounding_kernels.h"

namespace wattwise::quantize {
namespace {

/// From this ratio on a channel costs the others three bits where they share its scale.
constexpr float kOutlier = 8;

struct Outlier {
  size_t channel = 0;
  size_t channels = 0;
  float ratio = 0;
};

/// The largest weight of each channel along the axis.
std::vector<float> largest_along(const Weight& weight, size_t axis) {
  const RoundingKernels& kernels = rounding_kernels();
  size_t inner = 1;
  for (size_t i = axis + 1; i < weight.rank(); ++i) inner *= weight.dim(i);
  const size_t channels = weight.dim(axis);
  std::vector<float> largest(channels);
  const Floats values = weight.values();
  if (inner == 1) {
    for (size_t at = 0; at < values.size(); at += channels) {
      kernels.raise_largest(values.data() + at, channels, largest.data());
      values.passed(at);
    }
    return largest;
  }
  for (size_t at = 0; at < values.size(); at += inner) {
    float& most = largest[at / inner % channels];
    most = std::max(most, kernels.largest(values.data() + at, inner));
    values.passed(at);
  }
  return largest;
}

Outlier worst_channel(const std::vector<float>& largest) {
  std::vector<float> sorted = largest;
  const auto middle = sorted.begin() + static_cast<ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  const auto worst = std::max_element(largest.begin(), largest.end());
  return {static_cast<size_t>(worst - largest.begin()), largest.size(),
          *middle > 0 ? *worst / *middle : 0};
}

}  // namespace

std::string find_outlier_channel(const Weight& weight) {
  Outlier found;
  for (size_t axis = 0; axis < std::min<size_t>(2, weight.rank()); ++axis) {
    const Outlier along = worst_channel(largest_along(weight, axis));
    if (along.ratio > found.ratio) found = along;
  }
  if (found.ratio < kOutlier) return "";
  return fmt::format(
      "outlier channel {} of {}: its largest weight is {:.0f} times that of the channel in the "
      "middle",
      found.channel, found.channels, found.ratio);
}

}  // namespace wattwise::quantize
