// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <limits>
#include <span>

namespace wattwise {

struct Extremes {
  float low = std::numeric_limits<float>::max();
  float high = -std::numeric_limits<float>::max();
};

/// Smallest and largest element; those of nothing are the other way round. NaN loses every
/// comparison.
inline Extremes extremes_of(std::span<const float> values) {
  constexpr size_t kLanes = 16;  // loops of a fixed length are what compilers vectorize
  const Extremes none;
  std::array<float, kLanes> low;
  std::array<float, kLanes> high;
  low.fill(none.low);
  high.fill(none.high);
  const auto take = [&](size_t lane, float x) {
    low[lane] = x < low[lane] ? x : low[lane];
    high[lane] = x > high[lane] ? x : high[lane];
  };
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) take(lane, values[i + lane]);
  }
  for (; i < values.size(); ++i) take(0, values[i]);
  return {*std::min_element(low.begin(), low.end()), *std::max_element(high.begin(), high.end())};
}

}  // namespace wattwise
