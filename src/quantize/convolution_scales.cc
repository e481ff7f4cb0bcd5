// SPDX-License-Identifier: Apache-2.0
#include "quantize/convolution_scales.h"

#include <algorithm>

namespace wattwise::quantize {
namespace {

/// What is expected rests on inputs that are independent, which they are not quite. What nothing is
/// cut off for is kept unless cutting leaves no more than this share of its error.
constexpr double kWorthCutting = 0.75;

/// Of what each row of the columns multiplies, [rows], for one group of outputs.
struct RowMoments {
  std::vector<double> means;
  std::vector<double> variances;
};

std::vector<RowMoments> row_moments(const ConvolutionShape& shape, const ConvolutionMeans& means) {
  std::vector<RowMoments> groups(means.channels.size() / shape.inputs);
  for (size_t group = 0; group < groups.size(); ++group) {
    for (size_t tap = 0; tap < shape.taps; ++tap) {
      // For the rest of its outputs the tap reads padded zeros.
      const double share = means.tap_shares[tap];
      for (size_t in = 0; in < shape.inputs; ++in) {
        const size_t channel = group * shape.inputs + in;
        const double mean = share * means.channels[channel];
        const double variance = share * means.squares[channel] - mean * mean;
        groups[group].means.push_back(mean);
        groups[group].variances.push_back(std::max(variance, 0.0));
      }
    }
  }
  return groups;
}

/// Expected squared errors of the outputs, by the formula in the header.
std::vector<double> output_errors(const std::vector<float>& columns, const Int8Weights& rounded,
                                  const std::vector<RowMoments>& groups, bool corrects_bias) {
  const size_t outputs = rounded.scales.size();
  std::vector<double> spread(outputs);
  std::vector<double> shift(outputs);
  for (size_t at = 0; at < columns.size(); ++at) {
    const size_t row = at / outputs;
    const size_t out = at % outputs;
    const RowMoments& moments = groups[out * groups.size() / outputs];
    const double error = columns[at] - rounded.scales[out] * static_cast<float>(rounded.values[at]);
    spread[out] += error * error * moments.variances[row];
    shift[out] += error * moments.means[row];
  }
  for (size_t out = 0; out < outputs && !corrects_bias; ++out) {
    spread[out] += shift[out] * shift[out];
  }
  return spread;
}

}  // namespace

std::vector<float> pair_scales_for_input(const std::vector<float>& columns,
                                         const ConvolutionShape& shape,
                                         const ConvolutionInput& input) {
  const size_t rows = shape.inputs * shape.taps;
  if (input.means.channels.empty() || shape.choice == ScaleChoice::kKeepLargest) {
    return pair_scales(columns, rows, shape.outputs, shape.choice);
  }
  const std::vector<RowMoments> groups = row_moments(shape, input.means);
  const auto trials = pair_scale_trials(columns, rows, shape.outputs);
  const auto errors_at = [&](const std::vector<float>& scales) {
    return output_errors(columns, round_int8_pairs(columns, rows, scales), groups,
                         input.corrects_bias);
  };
  std::vector<float> best = trials.back();
  std::vector<double> least = errors_at(best);
  for (double& error : least) error *= kWorthCutting;
  for (size_t trial = 0; trial + 1 < trials.size(); ++trial) {
    const std::vector<double> errors = errors_at(trials[trial]);
    for (size_t c = 0; c < shape.outputs; ++c) {
      if (errors[c] >= least[c]) continue;
      least[c] = errors[c];
      best[c] = trials[trial][c];
    }
  }
  return best;
}

}  // namespace wattwise::quantize
