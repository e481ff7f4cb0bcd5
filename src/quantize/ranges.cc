// SPDX-License-Identifier: Apache-2.0
#include "quantize/ranges.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "core/extremes.h"
#include "core/finite.h"

namespace wattwise::quantize {
namespace {

constexpr double kForget = 0.01;
/// Of the elements, at each end, those that are all counted.
constexpr double kRareShare = 0.002;
constexpr float kLargest = std::numeric_limits<float>::max();

Range finite_extremes_of(std::span<const float> values) {
  Range range{kLargest, -kLargest};
  for (const float x : values) {
    if (!std::isfinite(x)) continue;
    range = {std::min(range.low, x), std::max(range.high, x)};
  }
  return range;
}

/// What one look at every element tells.
struct Scan {
  Extremes extremes;
  bool is_finite = true;
  std::vector<float> rare;  ///< what lies outside of the common values
};

bool is_inside(float value, const Range& range) {
  return value >= range.low && value <= range.high;
}

/// Adds what lies outside of a range.
void collect_outside(std::span<const float> values, const Range& range, std::vector<float>& out) {
  constexpr size_t kStep = 16;  // loops of a fixed length are what compilers vectorize
  const auto [low, high] = range;
  size_t at = 0;
  for (; at + kStep <= values.size(); at += kStep) {
    const float* const step = values.data() + at;
    int found = 0;
    for (size_t i = 0; i < kStep; ++i) {
      found |= static_cast<int>(step[i] < low) | static_cast<int>(step[i] > high);
    }
    for (size_t i = 0; i < kStep && found != 0; ++i) {
      if (!is_inside(step[i], range)) out.push_back(step[i]);
    }
  }
  for (; at < values.size(); ++at) {
    if (!is_inside(values[at], range)) out.push_back(values[at]);
  }
}

Scan scan(std::span<const float> values, const std::optional<Range>& common) {
  constexpr size_t kPart = 4096;  // all look at it while it is in the nearest cache
  Scan found;
  for (size_t at = 0; at < values.size(); at += kPart) {
    const auto part = values.subspan(at, std::min(kPart, values.size() - at));
    const Extremes extremes = extremes_of(part);
    found.extremes = {std::min(found.extremes.low, extremes.low),
                      std::max(found.extremes.high, extremes.high)};
    found.is_finite = all_finite(part) && found.is_finite;
    if (common) collect_outside(part, *common, found.rare);
  }
  return found;
}

/// std::floor() of what is no larger than an int64_t; without instructions for it that is a call.
int64_t floor_of(double value) {
  const auto towards_zero = static_cast<int64_t>(value);
  return towards_zero - static_cast<int64_t>(value < static_cast<double>(towards_zero));
}

int64_t bin_of(double value, double width) { return floor_of(value / width); }

}  // namespace

double ActivationStatistics::bin_width() const { return std::ldexp(1.0, exponent_); }

void ActivationStatistics::halve_bins() {
  const int64_t first = first_bin_ >> 1;
  std::vector<int64_t> merged((counts_.size() + 2) / 2 + 1);
  for (size_t i = 0; i < counts_.size(); ++i) {
    merged[static_cast<size_t>(((first_bin_ + static_cast<int64_t>(i)) >> 1) - first)] +=
        counts_[i];
  }
  counts_ = std::move(merged);
  first_bin_ = first;
  ++exponent_;
}

void ActivationStatistics::cover(const Range& range) {
  const double low = std::min(range.low, counts_.empty() ? range.low : extremes_.low);
  const double high = std::max(range.high, counts_.empty() ? range.high : extremes_.high);
  while ((high - low) / bin_width() > kMostBins - 2 ||
         std::max(std::fabs(low), std::fabs(high)) / bin_width() > 1e15) {
    counts_.empty() ? void(++exponent_) : halve_bins();
  }
  const int64_t first = bin_of(low, bin_width());
  const int64_t last = bin_of(high, bin_width());
  std::vector<int64_t> counts(static_cast<size_t>(last - first + 1));
  for (size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] == 0) continue;
    counts[static_cast<size_t>(first_bin_ + static_cast<int64_t>(i) - first)] = counts_[i];
  }
  counts_ = std::move(counts);
  first_bin_ = first;
}

bool ActivationStatistics::add(std::span<const float> values) {
  // An odd stride, so that it does not fall into step with a power of two of channels.
  const size_t stride = samples_ == 0 ? 1 : ((values.size() - 1) / kCountedPerSample) | 1U;
  const auto [extremes, is_finite, rare] =
      scan(values, stride > 1 ? std::optional(common_) : std::nullopt);
  Range range{extremes.low, extremes.high};
  if (!is_finite) range = finite_extremes_of(values);
  if (range.low > range.high) return is_finite;
  if (samples_ == 0 || range.low < extremes_.low || range.high > extremes_.high) cover(range);
  ++samples_;
  if (samples_ == 1) {
    extremes_ = average_ = range;
  } else {
    extremes_ = {std::min(extremes_.low, range.low), std::max(extremes_.high, range.high)};
    const auto share = static_cast<float>(std::max(kForget, 1.0 / static_cast<double>(samples_)));
    average_.low += share * (range.low - average_.low);
    average_.high += share * (range.high - average_.high);
  }
  const double inverse = 1 / bin_width();
  for (size_t i = 0; i < values.size(); i += stride) {
    if (stride > 1 && !is_inside(values[i], common_)) continue;
    count(values[i], static_cast<int64_t>(stride), inverse);
  }
  for (const float value : rare) count(value, 1, inverse);
  if (std::has_single_bit(static_cast<uint64_t>(samples_))) find_common();
  return is_finite;
}

void ActivationStatistics::count(float value, int64_t weight, double inverse) {
  if (!std::isfinite(value)) return;
  counts_[static_cast<size_t>(floor_of(value * inverse) - first_bin_)] += weight;
}

void ActivationStatistics::find_common() {
  const double all = std::accumulate(counts_.begin(), counts_.end(), 0.0);
  const double rare = kRareShare * all;
  size_t first = 0;
  size_t last = counts_.size() - 1;
  for (double sum = 0; first < last; ++first) {
    sum += static_cast<double>(counts_[first]);
    if (sum > rare) break;
  }
  for (double sum = 0; last > first; --last) {
    sum += static_cast<double>(counts_[last]);
    if (sum > rare) break;
  }
  const auto end = [&](size_t bin) {
    return static_cast<float>(static_cast<double>(first_bin_ + static_cast<int64_t>(bin)) *
                              bin_width());
  };
  common_ = {end(first), end(last + 1)};
}

ActivationStatistics ActivationStatistics::raised_to(float bound) const {
  ActivationStatistics out = *this;
  if (samples_ == 0 || bound <= extremes_.low) return out;
  const auto raise = [&](Range& range) {
    range = {std::max(range.low, bound), std::max(range.high, bound)};
  };
  raise(out.extremes_);
  raise(out.average_);
  const int64_t last = static_cast<int64_t>(counts_.size()) - 1;
  const int64_t target = std::clamp<int64_t>(bin_of(bound, bin_width()) - first_bin_, 0, last);
  for (int64_t i = 0; i < target; ++i) {
    int64_t& moved = out.counts_[static_cast<size_t>(i)];
    out.counts_[static_cast<size_t>(target)] += moved;
    moved = 0;
  }
  return out;
}

}  // namespace wattwise::quantize
