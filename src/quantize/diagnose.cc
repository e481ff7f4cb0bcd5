// SPDX-License-Identifier: Apache-2.0
#include "quantize/diagnose.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace wattwise::quantize {
namespace {

/// From this ratio on a channel costs the others three bits where they share its scale.
constexpr float kOutlier = 8;

struct Outlier {
  size_t channel = 0;
  size_t channels = 0;
  float ratio = 0;
};

Outlier largest_along(const Weight& weight, size_t axis) {
  size_t inner = 1;
  for (size_t i = axis + 1; i < weight.rank(); ++i) inner *= weight.dim(i);
  const size_t channels = weight.dim(axis);
  std::vector<float> largest(channels);
  const Floats values = weight.values();
  for (size_t i = 0; i < values.size(); ++i) {
    float& most = largest[i / inner % channels];
    most = std::max(most, std::fabs(values[i]));
  }
  std::vector<float> sorted = largest;
  const auto middle = sorted.begin() + static_cast<ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  const auto worst = std::max_element(largest.begin(), largest.end());
  return {static_cast<size_t>(worst - largest.begin()), channels,
          *middle > 0 ? *worst / *middle : 0};
}

}  // namespace

std::string find_outlier_channel(const Weight& weight) {
  Outlier found;
  for (size_t axis = 0; axis < std::min<size_t>(2, weight.rank()); ++axis) {
    const Outlier along = largest_along(weight, axis);
    if (along.ratio > found.ratio) found = along;
  }
  if (found.ratio < kOutlier) return "";
  return fmt::format(
      "outlier channel {} of {}: its largest weight is {:.0f} times that of the channel in the "
      "middle",
      found.channel, found.channels, found.ratio);
}

}  // namespace wattwise::quantize
