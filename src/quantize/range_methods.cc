// SPDX-License-Identifier: Apache-2.0
// Where to clip before 8 bits are spread over what is left.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "quantize/ranges.h"

namespace wattwise::quantize {
namespace {

constexpr double kByteLevels = 255;
/// Share of the elements that percentile keeps.
constexpr double kKept = 0.9999;
/// How far entropy and mse may clip, and in how many steps.
constexpr int kSearchSteps = 40;
constexpr double kSmallestShare = 0.2;

double share_at(int step) { return 1 - (1 - kSmallestShare) * step / kSearchSteps; }

Range min_max(const ActivationStatistics& statistics) { return statistics.extremes(); }

Range moving_average(const ActivationStatistics& statistics) {
  return statistics.average_extremes();
}

double bin_middle(const ActivationStatistics& statistics, size_t i) {
  const auto bin = static_cast<double>(statistics.first_bin() + static_cast<int64_t>(i));
  return (bin + 0.5) * statistics.bin_width();
}

Range percentile(const ActivationStatistics& statistics) {
  const auto& counts = statistics.counts();
  double total = 0;
  for (const int64_t count : counts) total += static_cast<double>(count);
  const double outside = total * (1 - kKept) / 2;
  size_t first = 0;
  size_t last = counts.size() - 1;
  for (double sum = 0; first < last; ++first) {
    sum += static_cast<double>(counts[first]);
    if (sum > outside) break;
  }
  for (double sum = 0; last > first; --last) {
    sum += static_cast<double>(counts[last]);
    if (sum > outside) break;
  }
  const Range all = statistics.extremes();
  const double half = statistics.bin_width() / 2;
  return {std::max(all.low, static_cast<float>(bin_middle(statistics, first) - half)),
          std::min(all.high, static_cast<float>(bin_middle(statistics, last) + half))};
}

/// Expected squared error of 8 bits over [low, high]: what is clipped, and a twelfth of a squared
/// step for the rest (Widrow's model of rounding).
double squared_error(const ActivationStatistics& statistics, double low, double high) {
  const double step = (high - low) / kByteLevels;
  const double rounding = step * step / 12;
  double error = 0;
  for (size_t i = 0; i < statistics.counts().size(); ++i) {
    const auto count = static_cast<double>(statistics.counts()[i]);
    if (count == 0) continue;
    const double x = bin_middle(statistics, i);
    const double excess = std::max({low - x, x - high, 0.0});
    error += count * (excess > 0 ? excess * excess : rounding);
  }
  return error;
}

/// The best pair of ends by coordinate descent over the shares of each.
template <typename Loss>
Range best_ends(const ActivationStatistics& statistics, const Loss& loss) {
  const Range all = statistics.extremes();
  const double low = std::min(all.low, 0.0F);
  const double high = std::max(all.high, 0.0F);
  double best_low = low;
  double best_high = high;
  double least = loss(statistics, low, high);
  for (int round = 0; round < 2; ++round) {
    for (int step = 0; step <= kSearchSteps; ++step) {
      const double end = high * share_at(step);
      const double error = loss(statistics, best_low, end);
      if (error < least) least = error, best_high = end;
    }
    for (int step = 0; step <= kSearchSteps; ++step) {
      const double end = low * share_at(step);
      const double error = loss(statistics, end, best_high);
      if (error < least) least = error, best_low = end;
    }
  }
  return {static_cast<float>(best_low), static_cast<float>(best_high)};
}

Range mse(const ActivationStatistics& statistics) { return best_ends(statistics, squared_error); }

/// Kullback-Leibler divergence of the histogram from what 256 levels over [low, high] keep of it:
/// every level spreads its elements evenly over the bins that it covers and that are not empty.
/// What is clipped comes to lie in the outermost bins.
class Divergence {
 public:
  Divergence(const ActivationStatistics& statistics, double low, double high)
      : statistics_(statistics), low_(low), high_(high), step_((high - low) / kByteLevels) {
    if (step_ <= 0) return;
    for (size_t i = 0; i < statistics.counts().size(); ++i) count(i);
  }

  double value() const {
    if (kept_ == 0) return std::numeric_limits<double>::infinity();
    double sum = 0;
    for (size_t i = first_; i <= last_; ++i) {
      auto elements = static_cast<double>(statistics_.counts()[i]);
      if (elements == 0) continue;
      if (i == first_) elements += below_;
      if (i == last_) elements += above_;
      const Level& level = levels_[level_of(bin_middle(statistics_, i))];
      const double p = elements / (below_ + kept_ + above_);
      sum += p * std::log(p / (level.elements / level.bins / kept_));
    }
    return sum;
  }

 private:
  struct Level {
    double elements = 0;
    double bins = 0;
  };

  size_t level_of(double x) const {
    return static_cast<size_t>(std::clamp(std::nearbyint((x - low_) / step_), 0.0, kByteLevels));
  }

  void count(size_t i) {
    const auto elements = static_cast<double>(statistics_.counts()[i]);
    const double x = bin_middle(statistics_, i);
    if (elements == 0) return;
    if (x < low_ || x > high_) {
      (x < low_ ? below_ : above_) += elements;
      return;
    }
    if (kept_ == 0) first_ = i;
    last_ = i;
    kept_ += elements;
    Level& level = levels_[level_of(x)];
    level.elements += elements;
    level.bins += 1;
  }

  const ActivationStatistics& statistics_;
  double low_, high_, step_;
  std::array<Level, 256> levels_{};
  size_t first_ = 0;  ///< bins inside
  size_t last_ = 0;
  double below_ = 0;
  double kept_ = 0;
  double above_ = 0;
};

double divergence(const ActivationStatistics& statistics, double low, double high) {
  return Divergence(statistics, low, high).value();
}

Range entropy(const ActivationStatistics& statistics) { return best_ends(statistics, divergence); }

constexpr std::array kRangeMethods = {
    RangeMethod{"mse", "least expected squared error", mse, false},
    RangeMethod{"minmax", "smallest and largest element of all samples", min_max, true},
    RangeMethod{"moving_average", "mean of the samples' extremes", moving_average, true},
    RangeMethod{"percentile", "99.99 % of the elements", percentile, false},
    RangeMethod{"entropy", "least Kullback-Leibler divergence of the histogram", entropy, false},
};

}  // namespace

std::span<const RangeMethod> range_methods() { return kRangeMethods; }

}  // namespace wattwise::quantize
