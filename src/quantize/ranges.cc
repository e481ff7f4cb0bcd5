// SPDX-License-Identifier: Apache-2.0
#include "quantize/ranges.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/extremes.h"

namespace wattwise::quantize {
namespace {

constexpr double kForget = 0.01;
constexpr float kLargest = std::numeric_limits<float>::max();

Range finite_extremes_of(std::span<const float> values) {
  Range range{kLargest, -kLargest};
  for (const float x : values) {
    if (!std::isfinite(x)) continue;
    range = {std::min(range.low, x), std::max(range.high, x)};
  }
  return range;
}

int64_t bin_of(double value, double width) {
  return static_cast<int64_t>(std::floor(value / width));
}

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

void ActivationStatistics::add(std::span<const float> values) {
  const Extremes extremes = extremes_of(values);
  Range range{extremes.low, extremes.high};
  // NaN hides only itself; infinity shows in the extremes.
  if (!std::isfinite(range.low) || !std::isfinite(range.high)) range = finite_extremes_of(values);
  if (range.low > range.high) return;
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
  // An odd stride, so that it does not fall into step with a power of two of channels.
  const size_t stride = ((values.size() - 1) / kCountedPerSample) | 1U;
  const double inverse = 1 / bin_width();
  for (size_t i = 0; i < values.size(); i += stride) {
    if (!std::isfinite(values[i])) continue;
    ++counts_[static_cast<size_t>(static_cast<int64_t>(std::floor(values[i] * inverse)) -
                                  first_bin_)];
  }
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
