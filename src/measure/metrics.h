// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "wattwise/result.h"
#include "wattwise/types.h"

namespace wattwise::measure {

/// 10 log10(sum(ref^2) / sum((ref - other)^2)) in dB; +inf when equal. Equal lengths.
double sqnr_db(std::span<const float> reference, std::span<const float> other);
/// dot / (|a| |b|); 1 when both are zero, 0 when one is.
double cosine(std::span<const float> a, std::span<const float> b);

/// Elements as float, whatever numeric type; kUnsupported for strings.
Result<std::vector<float>> as_floats(const Tensor& tensor);

/// Keeps in `worst`, per output, the worst agreement of all samples that are added.
void keep_worst(const std::vector<OutputAccuracy>& sample, std::vector<OutputAccuracy>& worst);

/// Whether some output has a finite number, so that there is something to compare with.
bool has_finite_value(const TensorMap& outputs);

/// Probabilities that differ by less decide nothing: what a detector answers where there is nothing
/// to detect may be the noise of rounding alone.
inline constexpr double kProbabilityFloor = 1e-2;

/// Names of the outputs that are probabilities (model::probability_outputs()).
using Probabilities = std::set<std::string>;

/// Names of the float outputs that hold NaN.
std::vector<std::string> outputs_with_nan(const TensorMap& outputs);

/// Compares outputs of the same names, at the values where the reference is finite;
/// NaN for an output without any. Errors relative to the largest value are so to kProbabilityFloor
/// at least for probabilities. kInvalidArgument for a missing output or another shape.
Result<std::vector<OutputAccuracy>> compare_outputs(const TensorMap& reference,
                                                    const TensorMap& other,
                                                    const Probabilities& probabilities = {});

/// Drop in percent by the documented rule: share of differing arg-max decisions of that output
/// which loses most of those that look like class scores; else 100 x (1 - cosine), over several
/// samples. For the cosine of probabilities kProbabilityFloor stands beside each value in both.
struct AccuracyDrop {
  double percent = 0;
  std::string compared_by;  ///< "decision agreement on <output>" or "cosine of <output>"
};

/// The drop over samples that are added one by one and not kept.
class DropSums {
 public:
  explicit DropSums(Probabilities probabilities = {}) : probabilities_(std::move(probabilities)) {}
  /// Adds a sample and returns what compare_outputs() tells of it; names as in the first.
  Result<std::vector<OutputAccuracy>> add(const TensorMap& reference, const TensorMap& other);
  AccuracyDrop drop() const;

 private:
  struct OutputSums {
    bool scores = true;  ///< rows were distributions in all samples
    size_t equal = 0;    ///< decisions
    size_t decisions = 0;
    double dot = 0, aa = 0, bb = 0;  ///< of the finite values
  };
  Probabilities probabilities_;
  std::map<std::string, OutputSums> outputs_;
};

/// Why these outputs cannot be right whatever the model: NaN or infinity that the reference has
/// not, or a constant output where the reference varies (probabilities: by kProbabilityFloor).
/// Absent when sane.
std::optional<std::string> insane(const TensorMap& reference, const TensorMap& other,
                                  const Probabilities& probabilities = {});

/// Median and a 95 % interval of the median (order statistics, exact binomial).
struct Interval {
  double median = 0;
  double low = 0;
  double high = 0;
};
Interval median_interval(std::vector<double> samples);

/// The q-quantile (0..1) by linear interpolation. Precondition: not empty.
double quantile(std::vector<double> samples, double q);

}  // namespace wattwise::measure
