// SPDX-License-Identifier: Apache-2.0
#include "quantize/ranges.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "quantize/simd/rounding_kernels.h"

namespace wattwise::quantize {
namespace {

constexpr double kForget = 0.01;
/// Of the elements, at each end, those that are all counted.
constexpr double kRareShare = 0.002;
constexpr float kLargest = std::numeric_limits<float>::max();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

Range finite_extremes_of(std::span<const float> values) {
  Range range{kLargest, -kLargest};
  for (const float x : values) {
    if (!std::isfinite(x)) continue;
    range = {std::min(range.low, x), std::max(range.high, x)};
  }
  return range;
}

bool is_inside(float value, const Range& range) {
  return value >= range.low && value <= range.high;
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
  return samples_ == 0 ? add_first(values) : add_next(values);
}

bool ActivationStatistics::add_first(std::span<const float> values) {
  const ValueLook look = rounding_kernels().look(values, {-kInfinity, kInfinity}, nullptr);
  if (!take_extremes(values, look)) return look.is_finite;
  const double inverse = 1 / bin_width();
  for (const float value : values) count(value, 1, inverse);
  find_common();
  return look.is_finite;
}

bool ActivationStatistics::add_next(std::span<const float> values) {
  constexpr size_t kPart = 4096;  // all look at it while it is in the nearest cache
  // An odd stride, so that it does not fall into step with a power of two of channels.
  const size_t stride = ((values.size() - 1) / kCountedPerSample) | 1U;
  const double inverse = 1 / bin_width();
  ValueLook all;
  std::vector<float> rare;
  std::array<float, kPart> outside;
  for (size_t at = 0, counted = 0; at < values.size(); at += kPart) {
    const auto part = values.subspan(at, std::min(kPart, values.size() - at));
    const ValueLook look = rounding_kernels().look(part, common_, outside.data());
    all = {std::min(all.low, look.low), std::max(all.high, look.high),
           all.is_finite && look.is_finite, 0};
    rare.insert(rare.end(), outside.begin(), outside.begin() + look.outside);
    for (; counted < at + part.size(); counted += stride) {
      const float value = values[counted];
      if (is_inside(value, common_)) count(value, static_cast<int64_t>(stride), inverse);
    }
  }
  if (!take_extremes(values, all)) return all.is_finite;
  const double inverse_now = 1 / bin_width();
  for (const float value : rare) count(value, 1, inverse_now);
  if (std::has_single_bit(static_cast<uint64_t>(samples_))) find_common();
  return all.is_finite;
}

bool ActivationStatistics::take_extremes(std::span<const float> values, const ValueLook& look) {
  Range range{look.low, look.high};
  if (!look.is_finite) range = finite_extremes_of(values);
  if (range.low > range.high) return false;
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
  return true;
}

void ActivationStatistics::count(float value, int64_t weight, double inverse) {
  if (!std::isfinite(value)) return;
  counts_[static_cast<size_t>(floor_of(value * inverse) - first_bin_)] += weight;
}

/// What is common has bins already, whatever comes.
void ActivationStatistics::find_common() {
  const Range bins = without_ends(kRareShare);
  common_ = {std::max(bins.low, extremes_.low), std::min(bins.high, extremes_.high)};
}

Range ActivationStatistics::without_ends(double share) const {
  if (counts_.empty()) return {};
  const double most = share * std::accumulate(counts_.begin(), counts_.end(), 0.0);
  size_t first = 0;
  size_t last = counts_.size() - 1;
  for (double sum = 0; first < last; ++first) {
    sum += static_cast<double>(counts_[first]);
    if (sum > most) break;
  }
  for (double sum = 0; last > first; --last) {
    sum += static_cast<double>(counts_[last]);
    if (sum > most) break;
  }
  const auto end = [&](size_t bin) {
    return static_cast<float>(static_cast<double>(first_bin_ + static_cast<int64_t>(bin)) *
                              bin_width());
  };
  return {end(first), end(last + 1)};
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
