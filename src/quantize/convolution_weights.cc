// SPDX-License-Identifier: Apache-2.0
#include "quantize/convolution_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "quantize/bias_correction.h"
#include "quantize/convolution_scales.h"

namespace wattwise::quantize {
namespace {

/// Half of what int32 holds; the other half is for the products, of which 2^15 x 127 x 255 fit.
constexpr double kMostBias = 1 << 30;
/// Steps that the bias of a channel without weights is kept in.
constexpr double kBiasSteps = 1 << 20;

/// Calls visit(index in the file, index in columns) for every weight.
template <typename Visit>
void for_each_weight(const ConvolutionShape& shape, const Visit& visit) {
  size_t at = 0;
  for (size_t out = 0; out < shape.outputs; ++out) {
    for (size_t in = 0; in < shape.inputs; ++in) {
      for (size_t tap = 0; tap < shape.taps; ++tap, ++at) {
        visit(at, (tap * shape.inputs + in) * shape.outputs + out);
      }
    }
  }
}

/// Scales that also let the bias fit.
std::vector<float> scales_of(const std::vector<float>& columns, const ConvolutionShape& shape,
                             const std::vector<float>& bias, const ConvolutionInput& input) {
  const size_t rows = shape.inputs * shape.taps;
  const double input_scale = input.scale;
  std::vector<float> scales = shape.paired
                                  ? pair_scales_for_input(columns, shape, input)
                                  : quantize_int8(columns, {rows, shape.outputs, 1}).scales;
  for (size_t c = 0; c < bias.size(); ++c) {
    const double magnitude = std::fabs(bias[c]);
    double largest = 0;
    for (size_t row = 0; row < rows; ++row) {
      largest = std::max<double>(largest, std::fabs(columns[row * shape.outputs + c]));
    }
    if (largest == 0 && magnitude > 0) {
      scales[c] = static_cast<float>(magnitude / kBiasSteps / input_scale);
    }
    scales[c] = std::max(scales[c], static_cast<float>(magnitude / kMostBias / input_scale));
  }
  if (shape.one_scale) {
    std::fill(scales.begin(), scales.end(), *std::max_element(scales.begin(), scales.end()));
  }
  return scales;
}

Int8Weights round_at(const std::vector<float>& columns, const ConvolutionShape& shape,
                     std::vector<float> scales) {
  if (shape.paired) {
    return round_int8_pairs(columns, shape.inputs * shape.taps, std::move(scales));
  }
  Int8Weights out;
  out.values.resize(columns.size());
  for (size_t i = 0; i < columns.size(); ++i) {
    const float q = std::nearbyint(columns[i] / scales[i % shape.outputs]);
    out.values[i] = static_cast<int8_t>(std::clamp(q, -127.0F, 127.0F));
  }
  out.scales = std::move(scales);
  return out;
}

std::vector<int32_t> integer_bias(const Int8Weights& columns, const std::vector<float>& bias,
                                  const ConvolutionInput& input) {
  const size_t outputs = columns.scales.size();
  std::vector<double> sums(outputs);
  for (size_t i = 0; i < columns.values.size(); ++i) sums[i % outputs] += columns.values[i];
  std::vector<int32_t> out(outputs);
  for (size_t c = 0; c < outputs; ++c) {
    const double scale = columns.scales[c] * input.scale;
    const double real = (bias.empty() ? 0.0 : bias[c]) + input.offset * sums[c] * columns.scales[c];
    out[c] = static_cast<int32_t>(std::clamp(std::nearbyint(real / scale), -kMostBias, kMostBias));
  }
  return out;
}

struct RoundedConvolution {
  const Int8Weights& weights;
  const ConvolutionShape& shape;
  const ConvolutionInput& input;
};

std::vector<float> corrected_bias(const std::vector<float>& bias, Floats weights,
                                  const RoundedConvolution& rounded) {
  if (rounded.input.means.channels.empty() || !rounded.input.corrects_bias) return bias;
  std::vector<float> out =
      bias_change(rounded.input.means, weights, rounded.weights, rounded.shape);
  for (size_t c = 0; c < bias.size(); ++c) out[c] += bias[c];
  return out;
}

}  // namespace

ConvolutionShape convolution_shape(const model::Constant& weights, int64_t groups) {
  ConvolutionShape shape;
  shape.outputs = static_cast<size_t>(weights.shape[0]);
  shape.inputs = static_cast<size_t>(weights.shape[1]);
  for (size_t axis = 2; axis < weights.shape.size(); ++axis) {
    shape.taps *= static_cast<size_t>(weights.shape[axis]);
  }
  shape.paired = shape.inputs != 1 || weights.shape[0] != groups;
  return shape;
}

IntegerConvolution quantize_convolution(Floats weights, const ConvolutionShape& shape,
                                        const std::vector<float>& bias,
                                        const ConvolutionInput& input) {
  std::vector<float> columns(weights.size());
  for_each_weight(shape, [&](size_t at, size_t column) { columns[column] = weights[at]; });
  Int8Weights rounded = round_at(columns, shape, scales_of(columns, shape, bias, input));
  IntegerConvolution out;
  for (size_t c = 0; c < bias.size(); ++c) {
    const auto least = static_cast<float>(std::fabs(bias[c]) / kMostBias / input.scale);
    if (least > 0 && rounded.scales[c] == least) ++out.widened;
  }
  out.weights.values.resize(weights.size());
  for_each_weight(
      shape, [&](size_t at, size_t column) { out.weights.values[at] = rounded.values[column]; });
  out.weights.scales = rounded.scales;
  out.bias =
      integer_bias(rounded, corrected_bias(bias, weights, {out.weights, shape, input}), input);
  out.weight_sqnr_db =
      weight_sqnr_db(weights, out.weights, {1, shape.outputs, shape.inputs * shape.taps});
  return out;
}

void tell_widened(const IntegerConvolution& made, LayerQuantization& layer) {
  if (made.widened == 0) return;
  layer.hurt_by = fmt::format(
      "bias overflow: {} of {} biases are too large for the scale of their channel's weights",
      made.widened, made.weights.scales.size());
  layer.action = "the scales of these channels were made larger";
}

int64_t count_unsafe_pairs(std::span<const int8_t> values, const ConvolutionShape& shape) {
  if (!shape.paired) return 0;
  std::vector<int8_t> columns(values.size());
  for_each_weight(shape, [&](size_t at, size_t column) { columns[column] = values[at]; });
  return count_unsafe_pairs(columns, shape.inputs * shape.taps, shape.outputs);
}

}  // namespace wattwise::quantize
