// SPDX-License-Identifier: Apache-2.0
#include "quantize/bias_correction.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/session.h"
#include "model/graph_edit.h"
#include "model/test_models.h"
#include "quantize/quantize.h"
#include "quantize/quantize_testing.h"
#include "quantize/rounding_grids.h"

namespace wattwise::quantize {
namespace {

using fixtures::kNoProgress;
using model::make_float_constant;
using model::make_node;
using model::random_floats;

constexpr int64_t kChannels = 16;
constexpr int64_t kOutputs = 24;

/// One value in two channels is far above zero on average, as behind a Relu.
std::vector<float> shifted(size_t count, uint32_t seed) {
  std::vector<float> values = random_floats(count, seed);
  for (size_t i = 0; i < count; ++i) values[i] = std::fabs(values[i]) + 1;
  return values;
}

model::Model base(const std::vector<int64_t>& in, const std::vector<int64_t>& out) {
  model::Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 14}};
  model.graph.name = "biased";
  model.graph.inputs = {model::make_value("x", DataType::kFloat, in)};
  model.graph.outputs = {model::make_value("y", DataType::kFloat, out)};
  return model;
}

model::Model matrix_model(bool has_bias) {
  model::Model model = base({-1, kChannels}, {-1, kOutputs});
  model.graph.initializers = {
      make_float_constant("w", {kChannels, kOutputs}, random_floats(kChannels * kOutputs, 1)),
      make_float_constant("b", {kOutputs}, random_floats(kOutputs, 2))};
  model.graph.nodes = {make_node("MatMul", {"x", "w"}, has_bias ? "p" : "y")};
  if (has_bias) model.graph.nodes.push_back(make_node("Add", {"b", "p"}, "y"));
  return model;
}

/// Two convolutions, so that integers pay; the second reads groups of channels.
model::Model convolution_model(int64_t channels = kChannels) {
  model::Model model = base({1, channels, 24, 24}, {1, 32, 24, 24});
  const int64_t size = channels == 1 ? 11 : 3;  // enough to multiply
  const auto count = static_cast<size_t>(64 * channels * size * size);
  model.graph.initializers = {
      make_float_constant("w", {64, channels, size, size}, random_floats(count, 3)),
      make_float_constant("w2", {32, 32, 1, 1}, random_floats(32 * 32, 4)),
      make_float_constant("b2", {32}, random_floats(32, 5))};
  model.graph.nodes = {make_node("Conv", {"x", "w"}, "c"),
                       make_node("Conv", {"c", "w2", "b2"}, "y")};
  model.graph.nodes[0].set_attribute("pads", std::vector<int64_t>(4, size / 2));
  model.graph.nodes[1].set_attribute("group", int64_t{2});
  return model;
}

std::vector<TensorMap> inputs_of(const model::Model& model) {
  std::vector<int64_t> shape;
  for (const auto& dim : *model.graph.inputs[0].shape) shape.push_back(dim.value.value_or(40));
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  std::vector<TensorMap> samples;
  for (uint32_t i = 0; i < 20; ++i) {
    samples.push_back(
        {{"x", make_float_tensor(shape, shifted(static_cast<size_t>(count), 50 + i))}});
  }
  return samples;
}

/// Mean of every output channel, the last axis of matrices, the second of images.
std::vector<double> output_means(const model::Model& model, const std::vector<TensorMap>& samples) {
  auto session = engine::open_session(engine::runtime_for_tests(), system_env(), model, "test", {});
  EXPECT_TRUE(session.has_value()) << session.error().to_string();
  std::vector<double> means;
  for (const TensorMap& sample : samples) {
    const TensorMap outputs = *(*session)->run(sample);
    const Tensor& y = outputs.at("y");
    const bool is_matrix = y.shape.size() == 2;
    const auto channels = static_cast<size_t>(y.shape[1]);
    const auto values = y.values<float>();
    means.resize(channels);
    for (size_t i = 0; i < values.size(); ++i) {
      means[is_matrix ? i % channels : i / (values.size() / channels)] +=
          values[i] * static_cast<double>(channels) / static_cast<double>(values.size());
    }
  }
  for (double& mean : means) mean /= static_cast<double>(samples.size());
  return means;
}

fixtures::Made quantized(const model::Model& original, const char* method,
                         const std::vector<std::string>& techniques) {
  const auto samples = inputs_of(original);
  const CalibrationData data{
      engine::runtime_for_tests(), system_env(), skip_samples([&samples]() -> SampleReader {
        return [&samples, next = size_t{0}]() mutable -> Result<std::optional<TensorMap>> {
          if (next == samples.size()) return std::optional<TensorMap>();
          return std::optional(samples[next++]);
        };
      })};
  auto shapes = engine::infer_shapes(engine::runtime_for_tests(), system_env(), original,
                                     {{{"x:0", 40}}, {}});
  EXPECT_TRUE(shapes.has_value());
  model::Model model = model::clone(original);
  MethodContext context{*shapes, kNoProgress, {}, &data};
  context.config.techniques = techniques;
  context.config.int4_arithmetic = "float";
  const auto outcome = (*find_method(method))->run(model, context);
  EXPECT_TRUE(outcome.has_value()) << outcome.error().to_string();
  EXPECT_TRUE(model::verify(model).has_value());
  EXPECT_FALSE(outcome->layers.empty());
  return {std::move(model), *outcome};
}

/// Root of the mean square of what the outputs' means differ by.
double mean_error(const model::Model& original, const char* method,
                  const std::vector<std::string>& techniques) {
  const auto samples = inputs_of(original);
  const auto expected = output_means(original, samples);
  const auto found = output_means(quantized(original, method, techniques).model, samples);
  double sum = 0;
  for (size_t i = 0; i < expected.size(); ++i) sum += std::pow(found[i] - expected[i], 2);
  return std::sqrt(sum / static_cast<double>(expected.size()));
}

TEST(BiasCorrection, TakesBackTheMeanErrorOfMatrices) {
  const auto weights = random_floats(kChannels * kOutputs, 1);
  const RoundingGrid grid = matrix_grid(weights, {kChannels, kOutputs});
  const auto rounded = round_to_nearest(weights, grid);
  const auto means = shifted(kChannels, 9);
  const auto change = bias_change(means, weights, rounded, grid);
  for (size_t c = 0; c < kOutputs; ++c) {
    double error = -change[c];
    for (size_t row = 0; row < kChannels; ++row) {
      const size_t at = row * kOutputs + c;
      error += static_cast<double>(means[row]) * (weights[at] - grid.steps[c] * rounded[at]);
    }
    EXPECT_NEAR(error, 0, 1e-6);
  }
}

TEST(BiasCorrection, CentresGramMatricesOnTheMean) {
  const std::vector<float> rows = {1, 5, 3, 5, 5, 5};  // [3, 2]; the second column is constant
  const std::vector<float> gram = {35, 45, 45, 75};
  const auto centred = centred_gram(gram, std::vector<float>{3, 5}, 3);
  EXPECT_EQ(centred, (std::vector<float>{8, 0, 0, 0}));
}

TEST(BiasCorrection, CountsWhatTapsReadBesidePadding) {
  model::Node node = make_node("Conv", {"x", "w"}, "y");
  node.set_attribute("pads", std::vector<int64_t>{1, 0, 1, 0});
  node.set_attribute("strides", std::vector<int64_t>{1, 2});
  const std::vector<int64_t> kernel = {3, 2};
  const auto shares = tap_shares(node, kernel, std::vector<int64_t>{4, 6});
  EXPECT_EQ(shares, (std::vector<float>{0.75F, 0.75F, 1, 1, 0.75F, 0.75F}));
  model::Node same = make_node("Conv", {"x", "w"}, "y");
  same.set_attribute("auto_pad", std::string("SAME_UPPER"));
  const std::vector<int64_t> two = {2};
  EXPECT_EQ(tap_shares(same, two, std::vector<int64_t>{4}), (std::vector<float>{1, 0.75F}));
}

class BiasOf : public testing::TestWithParam<const char*> {};

TEST_P(BiasOf, MatricesHasTheMeanErrorTakenOut) {
  for (const bool has_bias : {true, false}) {
    const model::Model model = matrix_model(has_bias);
    const double without = mean_error(model, GetParam(), {"-bias_correction", "-gptq"});
    const double with = mean_error(model, GetParam(), {"bias_correction", "-gptq"});
    const bool can = has_bias || std::string_view(GetParam()) == "dynamic";
    EXPECT_LT(with, can ? 0.3 * without : 1.001 * without) << has_bias;
  }
}

INSTANTIATE_TEST_SUITE_P(Methods, BiasOf, testing::Values("dynamic", "int4"));

TEST(BiasCorrection, TakesBackTheMeanErrorOfConvolutions) {
  const model::Model model = convolution_model();
  EXPECT_LT(mean_error(model, "static", {"bias_correction"}),
            0.5 * mean_error(model, "static", {"-bias_correction"}));
}

TEST(BiasCorrection, LeavesAloneWhatReadsOneChannel) {
  const auto biases = [](int64_t channels) {
    const model::Model model =
        quantized(convolution_model(channels), "static", {"bias_correction"}).model;
    return std::count_if(
        model.graph.nodes.begin(), model.graph.nodes.end(),
        [](const model::Node& node) { return node.is("Conv") && node.inputs.size() == 3; });
  };
  EXPECT_EQ(biases(kChannels), 2) << "the first gets one";
  EXPECT_EQ(biases(1), 1);
}

TEST(BiasCorrection, ABiasThatIsGivenUpIsNotCountedAsStored) {
  model::Model original = model::dense_like(32, 200);
  const auto stored = [&](const std::vector<std::string>& techniques) {
    int64_t count = 0;
    for (const auto& item : quantized(original, "dynamic", techniques).outcome.applied) {
      if (item.name == "fp16_stored_vectors") count += item.node_count;
    }
    return count;
  };
  EXPECT_EQ(stored({}), 1);
  EXPECT_EQ(stored({"bias_correction"}), 0) << "another one takes its place";
}

}  // namespace
}  // namespace wattwise::quantize
