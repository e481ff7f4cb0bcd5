// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>
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
  // Vectors by name stay in registers, where an array of them would lie in memory.
  using Lanes = float __attribute__((vector_size(16)));
  constexpr size_t kLanes = sizeof(Lanes) / sizeof(float);
  Extremes found;
  Lanes low = Lanes{} + found.low;
  Lanes high = Lanes{} + found.high;
  Lanes other_low = low;
  Lanes other_high = high;
  const auto take = [](const float* at, Lanes& least, Lanes& most) {
    Lanes x;
    std::memcpy(&x, at, sizeof(x));
    least = x < least ? x : least;
    most = x > most ? x : most;
  };
  size_t i = 0;
  for (; i + 2 * kLanes <= values.size(); i += 2 * kLanes) {
    take(values.data() + i, low, high);
    take(values.data() + i + kLanes, other_low, other_high);
  }
  low = other_low < low ? other_low : low;
  high = other_high > high ? other_high : high;
  const auto take_one = [&](float least, float most) {
    found = {least < found.low ? least : found.low, most > found.high ? most : found.high};
  };
  for (size_t lane = 0; lane < kLanes; ++lane) take_one(low[lane], high[lane]);
  for (; i < values.size(); ++i) take_one(values[i], values[i]);
  return found;
}

}  // namespace wattwise
