// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace wattwise::quantize {

struct ValueLook;  // simd/rounding_kernels.h

/// An interval of real values.
struct Range {
  float low = 0;
  float high = 0;
};

/// What a value of the model looks like over many samples, gathered in one pass and in constant
/// memory. Bins are a power of two wide and start at multiples of their width: when the values
/// outgrow them, each two become one, exactly, whatever the order of the samples.
class ActivationStatistics {
 public:
  /// The elements of the value in one sample. All count for the extremes. For the histogram those
  /// count that are rare, near the ends, where a few large ones decide what clipping costs; of the
  /// others about kCountedPerSample, evenly spread, stand for all. NaN and infinity are left out;
  /// returns whether there were none.
  bool add(std::span<const float> values);

  /// The same with every element below `bound` moved up to it, to within a bin.
  ActivationStatistics raised_to(float bound) const;

  int64_t samples() const { return samples_; }
  /// Smallest and largest element of all samples.
  Range extremes() const { return extremes_; }
  /// Mean of the samples' extremes, in which the latest hundred weigh most.
  Range average_extremes() const { return average_; }

  /// Between which the elements lie but for this share of them at each end, to within a bin.
  Range without_ends(double share) const;

  /// counts()[i] elements lie in [(first_bin() + i) w, (first_bin() + i + 1) w), w = bin_width().
  const std::vector<int64_t>& counts() const { return counts_; }
  int64_t first_bin() const { return first_bin_; }
  double bin_width() const;

  static constexpr int64_t kMostBins = 2048;
  static constexpr size_t kCountedPerSample = 4096;

 private:
  bool add_first(std::span<const float> values);
  bool add_next(std::span<const float> values);
  /// Of one sample more; false if it has no finite element.
  bool take_extremes(std::span<const float> values, const ValueLook& look);
  void find_common();
  void count(float value, int64_t weight, double inverse);
  void cover(const Range& range);
  void halve_bins();

  int64_t samples_ = 0;
  Range extremes_;
  Range average_;
  Range common_;        ///< of the values that the histogram has most of
  int exponent_ = -40;  ///< bins are 2^exponent wide
  int64_t first_bin_ = 0;
  std::vector<int64_t> counts_;
};

/// A way to choose the interval that 8 bits represent. Values outside of it are clipped.
struct RangeMethod {
  std::string_view name;
  std::string_view description;
  Range (*choose)(const ActivationStatistics& statistics);
  bool of_extremes;  ///< goes by single elements, for which every sample must be looked at
};
std::span<const RangeMethod> range_methods();

}  // namespace wattwise::quantize
