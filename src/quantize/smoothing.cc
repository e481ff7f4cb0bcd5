// SPDX-License-Identifier: Apache-2.0
#include "quantize/smoothing.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>

namespace wattwise::quantize {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Row = Eigen::Array<float, 1, Eigen::Dynamic>;
using RowView = Eigen::Map<const Row>;
using Index = Eigen::Index;

constexpr float kWeakest = 0.3F;
constexpr float kStrongest = 0.95F;
constexpr float kStep = 0.05F;
constexpr float kUint8Max = 255;
/// Mean square of an error that is even over a step of 1.
constexpr double kEvenError = 1.0 / 12;
/// What GPTQ leaves of such errors in weights, roughly.
constexpr double kGptqShare = 0.3;
constexpr double kWeightError = kGptqShare * kEvenError;
/// More than this share of the error is left where a node is not worth it.
constexpr double kSmoothingWorthIt = 0.9;

RowView view(const std::vector<float>& values) {
  return {values.data(), static_cast<Index>(values.size())};
}

/// All matrices side by side.
Matrix join(const std::vector<Floats>& weights, size_t width) {
  Index columns = 0;
  for (const Floats& weight : weights) columns += static_cast<Index>(weight.size() / width);
  Matrix joined(static_cast<Index>(width), columns);
  for (Index row = 0; row < joined.rows(); ++row) {
    float* to = joined.row(row).data();
    for (const Floats& weight : weights) {
      const size_t count = weight.size() / width;
      to = std::copy_n(weight.begin() + static_cast<size_t>(row) * count, count, to);
    }
  }
  return joined;
}

/// Squared errors of each column of X / divisors in the excerpts when a sample is rounded over its
/// range, scaled to all rows.
Row input_errors(const InputStatistics& statistics, const Row& divisors) {
  const Index width = divisors.size();
  Row errors = Row::Zero(width);
  int64_t rows = 0;
  for (const auto& excerpt : statistics.excerpts) {
    const float low = (view(excerpt.low) / divisors).minCoeff();
    const float high = (view(excerpt.high) / divisors).maxCoeff();
    const float step = high > low ? (high - low) / kUint8Max : 1;
    for (size_t at = 0; at < excerpt.rows.size(); at += static_cast<size_t>(width), ++rows) {
      const Row x = RowView(excerpt.rows.data() + at, width) / divisors;
      errors += (x - (x / step).rint() * step).square();
    }
  }
  return errors * (static_cast<float>(statistics.rows) / static_cast<float>(rows));
}

class SmoothingTrial {
 public:
  SmoothingTrial(const InputStatistics& statistics, const std::vector<Floats>& weights)
      : statistics_(statistics), weights_(join(weights, statistics.largest.size())) {
    row_maxima_ = weights_.array().abs().rowwise().maxCoeff().transpose();
    row_power_ = weights_.array().square().rowwise().sum().transpose();
  }

  Row divisors(float strength) const {
    const RowView largest = view(statistics_.largest);
    const Row raw = largest.pow(strength) / row_maxima_.pow(1 - strength);
    // Columns that are always 0, and rows that are, stay as they are.
    return (largest > 0 && row_maxima_ > 0).select(raw, 1.0F);
  }

  double noise(const Row& divisors) const {
    const Row from_inputs = input_errors(statistics_, divisors) * divisors.square() * row_power_;
    const Row maxima =
        (weights_.array().abs().colwise() * divisors.transpose()).colwise().maxCoeff();
    const double steps = (maxima / kInt8Max).square().cast<double>().sum();
    const Row power = view(statistics_.power) / divisors.square();
    return from_inputs.cast<double>().sum() + power.cast<double>().sum() * steps * kWeightError;
  }

  Row none() const { return Row::Ones(weights_.rows()); }

 private:
  const InputStatistics& statistics_;
  Matrix weights_;
  Row row_maxima_, row_power_;
};

}  // namespace

Smoothing choose_smoothing(const InputStatistics& statistics, const std::vector<Floats>& weights) {
  const SmoothingTrial trial(statistics, weights);
  Smoothing best;
  best.noise_without = trial.noise(trial.none());
  best.noise = best.noise_without * kSmoothingWorthIt;
  for (float strength = kWeakest; strength < kStrongest + kStep / 2; strength += kStep) {
    const Row divisors = trial.divisors(strength);
    const double noise = trial.noise(divisors);
    if (noise >= best.noise) continue;
    best.noise = noise;
    best.strength = strength;
    best.divisors.assign(divisors.begin(), divisors.end());
  }
  if (best.divisors.empty()) best.noise = best.noise_without;
  return best;
}

}  // namespace wattwise::quantize
