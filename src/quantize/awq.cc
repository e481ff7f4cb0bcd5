// SPDX-License-Identifier: Apache-2.0
#include "quantize/awq.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/text.h"
#include "quantize/kernels.h"
#include "quantize/smooth_inputs.h"
#include "quantize/techniques.h"

namespace wattwise::quantize {
namespace {

constexpr int kStrengths = 10;
/// More than this share of the error is left where a change is not worth it.
constexpr double kWorthIt = 0.97;

std::vector<double> mean_magnitudes(const std::vector<float>& rows, size_t width) {
  std::vector<double> magnitudes(width);
  for (size_t i = 0; i < rows.size(); ++i) magnitudes[i % width] += std::fabs(rows[i]);
  const size_t count = rows.size() / width;
  for (double& magnitude : magnitudes) magnitude /= static_cast<double>(count);
  return magnitudes;
}

/// Columns that are always 0 stay as they are.
std::vector<float> divisors_of(const std::vector<double>& magnitudes, double strength) {
  double least = 0;
  double most = 0;
  for (const double magnitude : magnitudes) {
    if (magnitude <= 0) continue;
    const double divisor = std::pow(magnitude, strength);
    least = least == 0 ? divisor : std::min(least, divisor);
    most = std::max(most, divisor);
  }
  const double middle = std::sqrt(least * most);
  std::vector<float> divisors;
  for (const double magnitude : magnitudes) {
    divisors.push_back(magnitude > 0 ? static_cast<float>(std::pow(magnitude, strength) / middle)
                                     : 1);
  }
  return divisors;
}

/// The products' error when matrices are rounded with these divisors.
ProductError error_with(const std::vector<float>& divisors, const std::vector<float>& rows,
                        const std::vector<Floats>& weights, const GridOf& grid_of) {
  const size_t width = divisors.size();
  std::vector<float> inputs(rows);
  for (size_t i = 0; i < inputs.size(); ++i) inputs[i] /= divisors[i % width];
  ProductError all;
  for (const Floats& weight : weights) {
    const size_t columns = weight.size() / width;
    std::vector<float> scaled(weight.begin(), weight.end());
    for (size_t i = 0; i < scaled.size(); ++i) scaled[i] *= divisors[i / columns];
    const RoundingGrid grid = grid_of(scaled, width);
    const ProductError one = product_error(inputs, scaled, {round_to_nearest(scaled, grid), grid});
    all.signal += one.signal;
    all.noise += one.noise;
  }
  return all;
}

}  // namespace

AwqScaling choose_awq(const InputStatistics& statistics, const std::vector<Floats>& weights,
                      const GridOf& grid_of) {
  const std::vector<float> rows = rows_of_excerpts(statistics);
  const std::vector<double> magnitudes = mean_magnitudes(rows, statistics.largest.size());
  AwqScaling best;
  best.without = error_with(divisors_of(magnitudes, 0), rows, weights, grid_of);
  best.error = best.without;
  double least = kWorthIt * best.without.noise;
  for (int i = 1; i <= kStrengths; ++i) {
    const double strength = static_cast<double>(i) / kStrengths;
    std::vector<float> divisors = divisors_of(magnitudes, strength);
    const ProductError error = error_with(divisors, rows, weights, grid_of);
    if (error.noise >= least) continue;
    least = error.noise;
    best.error = error;
    best.strength = static_cast<float>(strength);
    best.divisors = std::move(divisors);
  }
  return best;
}

bool scales_by_awq(const MethodContext& context) {
  return context.calibration && Techniques(context.config).has(Technique::kAwq);
}

Result<DividedModel> scale_by_awq(model::Model& model, const MethodContext& context,
                                  const GridOf& grid_of) {
  return divide_inputs(
      model, context, {"scale_by_awq", "scale_by_awq", wanted_detail(context)},
      [&grid_of](const InputStatistics& statistics, const std::vector<Floats>& matrices) {
        AwqScaling scaling = choose_awq(statistics, matrices, grid_of);
        return ChosenDivisors{
            std::move(scaling.divisors),
            fmt::format("by strength {:.1f}, gain of the products with it: {}", scaling.strength,
                        format_decibels(decibels(scaling.without.noise, scaling.error.noise)))};
      });
}

}  // namespace wattwise::quantize
