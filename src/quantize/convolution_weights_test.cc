// SPDX-License-Identifier: Apache-2.0
#include "quantize/convolution_weights.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "model/test_models.h"
#include "quantize/byte_products_testing.h"

namespace wattwise::quantize {
namespace {

using model::make_float_constant;
using model::random_floats;

const model::Constant& dense() {
  static const auto constant = make_float_constant("w", {5, 6, 3, 3}, random_floats(270, 8));
  return constant;
}

/// The row of one output as kernels read it: taps outside, input channels inside.
std::vector<int8_t> row_of(const std::vector<int8_t>& values, const ConvolutionShape& shape,
                           size_t output) {
  std::vector<int8_t> row;
  for (size_t tap = 0; tap < shape.taps; ++tap) {
    for (size_t in = 0; in < shape.inputs; ++in) {
      row.push_back(values[(output * shape.inputs + in) * shape.taps + tap]);
    }
  }
  return row;
}

TEST(ConvolutionWeights, SixteenBitSumsAreExact) {
  const ConvolutionShape shape = convolution_shape(dense(), 1);
  const auto made = quantize_convolution(Floats(dense().data.view()), shape, {}, {});
  EXPECT_EQ(count_unsafe_pairs(made.weights.values, shape), 0);
  const auto free = quantize_int8(Floats(dense().data.view()), {1, 5, 54});
  EXPECT_GT(count_unsafe_pairs(free.values, shape), 0) << "the rule has something to do";
  int64_t wrong = 0;
  for (size_t output = 0; output < shape.outputs; ++output) {
    const auto row = row_of(made.weights.values, shape, output);
    const auto free_row = row_of(free.values, shape, output);
    for (uint32_t seed = 0; seed < 50; ++seed) {
      std::vector<uint8_t> a;
      for (const float x : random_floats(row.size(), seed)) {
        a.push_back(seed == 0 ? 255 : static_cast<uint8_t>(std::fabs(x) * 255));
      }
      EXPECT_EQ(dot_without_vnni(a, row), dot_with_vnni(a, row));
      wrong += dot_without_vnni(a, free_row) != dot_with_vnni(a, free_row);
    }
  }
  EXPECT_GT(wrong, 0) << "the oracle sees what full ranges do";
}

TEST(ConvolutionWeights, DepthwiseKeepsTheFullRange) {
  const auto weights = make_float_constant("w", {4, 1, 3, 3}, random_floats(36, 2));
  const ConvolutionShape shape = convolution_shape(weights, 4);
  EXPECT_FALSE(shape.paired);
  const auto made = quantize_convolution(Floats(weights.data.view()), shape, {}, {});
  EXPECT_EQ(made.weights.values, quantize_int8(Floats(weights.data.view()), {1, 4, 9}).values);
  EXPECT_TRUE(convolution_shape(weights, 2).paired) << "two outputs a group are pairs";
}

TEST(ConvolutionWeights, ABiasThatInt32CannotHoldCoarsensItsChannelOnly) {
  const ConvolutionShape shape = convolution_shape(dense(), 1);
  const std::vector<float> bias = {0, 1e6F, -1e6F, 0.25F, 3};
  const ConvolutionInput input{1e-4, 0};
  const auto made = quantize_convolution(Floats(dense().data.view()), shape, bias, input);
  const auto usual = quantize_convolution(Floats(dense().data.view()), shape, {}, input);
  EXPECT_EQ(made.widened, 2u);
  for (size_t c = 0; c < bias.size(); ++c) {
    const double step = made.weights.scales[c] * input.scale;
    EXPECT_NEAR(made.bias[c] * step, bias[c], std::max(step, 1e-5 * std::fabs(bias[c]))) << c;
    EXPECT_LE(std::abs(static_cast<int64_t>(made.bias[c])), int64_t{1} << 30);
    EXPECT_EQ(made.weights.scales[c] == usual.weights.scales[c], std::fabs(bias[c]) < 1e3F) << c;
  }
}

TEST(ConvolutionWeights, AChannelWithoutWeightsKeepsItsBias) {
  const auto zeros = make_float_constant("w", {2, 3, 1, 1}, std::vector<float>(6));
  const auto made = quantize_convolution(Floats(zeros.data.view()), convolution_shape(zeros, 1),
                                         {0.01F, 0}, {0.05, 0});
  EXPECT_NEAR(made.bias[0] * made.weights.scales[0] * 0.05, 0.01, 1e-6);
  EXPECT_EQ(made.bias[1], 0);
}

TEST(ConvolutionWeights, OffsetsOfTheInputGoIntoTheBias) {
  const ConvolutionShape shape = convolution_shape(dense(), 1);
  const auto made = quantize_convolution(Floats(dense().data.view()), shape, {}, {0.01, 0.004});
  for (size_t c = 0; c < shape.outputs; ++c) {
    double sum = 0;
    for (const int8_t q : row_of(made.weights.values, shape, c)) sum += q;
    const double scale = made.weights.scales[c];
    EXPECT_NEAR(made.bias[c] * scale * 0.01, 0.004 * sum * scale, scale * 0.01);
  }
}

/// Few of them are large, so that the search of scales cuts some pairs off.
const model::Constant& peaked() {
  static const auto constant = [] {
    auto values = random_floats(8 * 64 * 9, 5);
    for (float& value : values) value *= value * value;
    return make_float_constant("w", {8, 64, 3, 3}, values);
  }();
  return constant;
}

/// Squared error of the outputs, for inputs that are independent of each other.
double output_error(const IntegerConvolution& made, std::span<const float> means, float deviation) {
  const ConvolutionShape shape = convolution_shape(peaked(), 1);
  const Floats weights(peaked().data.view());
  double sum = 0;
  for (uint32_t seed = 1; seed <= 100; ++seed) {
    const auto random = random_floats(weights.size() / shape.outputs, seed);
    for (size_t out = 0; out < shape.outputs; ++out) {
      double error = 0;
      for (size_t i = 0; i < random.size(); ++i) {
        const size_t at = out * random.size() + i;
        const float x = means[i / shape.taps] + deviation * random[i];
        error += x * (weights[at] - made.weights.scales[out] * made.weights.values[at]);
      }
      sum += error * error;
    }
  }
  return sum;
}

TEST(ConvolutionWeights, ScalesGoByWhatTheConvolutionReads) {
  const ConvolutionShape shape = convolution_shape(peaked(), 1);
  const Floats weights(peaked().data.view());
  std::vector<float> means = random_floats(shape.inputs, 6);
  for (float& mean : means) mean += 1.5F;
  constexpr float kDeviation = 0.5F;
  std::vector<float> squares;
  for (const float mean : means) squares.push_back(mean * mean + kDeviation * kDeviation / 3);
  ConvolutionInput input;
  const auto plain = quantize_convolution(weights, shape, {}, input);
  input.means = {means, squares, std::vector<float>(9, 1)};
  const auto known = quantize_convolution(weights, shape, {}, input);
  EXPECT_EQ(count_unsafe_pairs(known.weights.values, shape), 0);
  EXPECT_EQ(known.bias, plain.bias) << "the mean's error is not taken back unasked";
  EXPECT_LT(output_error(known, means, kDeviation), 0.7 * output_error(plain, means, kDeviation));
  input.means = {};
  EXPECT_EQ(quantize_convolution(weights, shape, {}, input).weights.values, plain.weights.values);
}

}  // namespace
}  // namespace wattwise::quantize
