// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/session.h"
#include "measure/metrics.h"
#include "model/graph_edit.h"
#include "model/test_models.h"
#include "quantize/noise.h"
#include "quantize/quantize.h"
#include "quantize/quantize_testing.h"
#include "quantize/saturation.h"

namespace wattwise::quantize {
namespace {

using fixtures::calibration;
using fixtures::count;
using fixtures::kNoProgress;
using fixtures::mobile_like;
using fixtures::optimized;
using fixtures::run;
using model::make_float_constant;
using model::make_node;
using model::random_floats;

TensorMap image_sample(uint32_t seed, int64_t width = 48) {
  auto values = random_floats(static_cast<size_t>(3 * 32 * width), seed);
  return {{"x", make_float_tensor({1, 3, 32, width}, values)}};
}

std::vector<TensorMap> samples_of_many_widths() {
  std::vector<TensorMap> samples;
  for (uint32_t i = 0; i < 8; ++i) samples.push_back(image_sample(i, 40 + 4 * i));
  return samples;
}

/// The model by `static`; ranges from these samples.
MethodOutcome quantize_statically(model::Model& model, const std::vector<TensorMap>& samples) {
  const auto shapes =
      engine::infer_shapes(engine::runtime_for_tests(), system_env(), model, {{{"x:3", 48}}, {}});
  EXPECT_TRUE(shapes.has_value());
  const auto data = calibration(samples);
  const auto outcome = (*find_method("static"))->run(model, {*shapes, kNoProgress, {}, &data});
  EXPECT_TRUE(outcome.has_value()) << outcome.error().to_string();
  EXPECT_TRUE(model::verify(model).has_value());
  return *outcome;
}

TEST(Static, LeavesNoPairUnfused) {
  model::Model model = mobile_like();
  const auto outcome = quantize_statically(model, samples_of_many_widths());
  EXPECT_EQ(outcome.applied.front().name, "static_int8_convolution");
  EXPECT_EQ(outcome.applied.front().node_count, 6);
  const model::Model seen = optimized(model);
  EXPECT_EQ(count(seen, "QuantizeLinear"), 1) << "the input";
  EXPECT_EQ(count(seen, "DequantizeLinear"), 1) << "the output";
  EXPECT_EQ(count(seen, "Conv"), 0);
  EXPECT_EQ(count(seen, "QLinearConv"), 6);
  EXPECT_EQ(count(seen, "QLinearMul"), 3);
  EXPECT_EQ(count(seen, "QLinearAdd"), 1);
  EXPECT_EQ(count(seen, "QLinearSigmoid"), 1);
  EXPECT_EQ(count(seen, "QLinearConcat"), 1);
  EXPECT_EQ(count(seen, "QLinearGlobalAveragePool"), 1);
  EXPECT_EQ(count(seen, "Relu"), 0) << "8 bits end where Relu does";
  for (const char* op : {"Conv", "Mul", "Add", "Sigmoid", "Concat", "GlobalAveragePool"}) {
    EXPECT_EQ(count(seen, op), 0) << op;
  }
}

TEST(Static, AnswersAsTheFloatModelDoes) {
  model::Model model = mobile_like();
  const auto outcome = quantize_statically(model, samples_of_many_widths());
  EXPECT_TRUE(find_saturating_weights(model).empty());
  for (const LayerQuantization& layer : outcome.layers) EXPECT_GT(layer.weight_sqnr_db, 35);
  for (const int64_t width : {48, 64}) {
    const auto unseen = image_sample(100, width);
    const auto compared = measure::compare_outputs(run(mobile_like(), unseen), run(model, unseen));
    ASSERT_TRUE(compared.has_value());
    EXPECT_GT(compared->front().sqnr_db, 25) << width;
  }
}

TEST(Static, ValuesThatOthersReadKeepTheirNames) {
  model::Model original = mobile_like();
  for (const char* name : {"c1", "a1", "p3", "r4"}) {
    original.graph.outputs.push_back(model::make_value(name, DataType::kFloat, {1, -1, -1, -1}));
  }
  model::Model model = model::clone(original);
  quantize_statically(model, samples_of_many_widths());
  const auto compared =
      measure::compare_outputs(run(original, image_sample(7)), run(model, image_sample(7)));
  ASSERT_TRUE(compared.has_value());
  ASSERT_EQ(compared->size(), 5u);
  for (const auto& output : *compared) EXPECT_GT(output.sqnr_db, 25) << output.output;
}

TEST(Static, WhatDoesNotPayStaysInFloatAndSaysSo) {
  model::Model model = model::image_like();
  const auto shapes = engine::infer_shapes(engine::runtime_for_tests(), system_env(), model, {});
  ASSERT_TRUE(shapes.has_value());
  const std::vector<TensorMap> samples = {
      {{"x", make_float_tensor({1, 8, 10, 10}, random_floats(800, 1))}}};
  const auto data = calibration(samples);
  const auto outcome = (*find_method("static"))->run(model, {*shapes, kNoProgress, {}, &data});
  ASSERT_TRUE(outcome.has_value());
  EXPECT_TRUE(outcome->applied.empty());
  EXPECT_EQ(outcome->decisions.back().action, "keep_float");
}

TEST(Static, DoesNotWarnOfASmallProductBehindConvolutions) {
  model::Model model = mobile_like();
  model.graph.initializers.push_back(make_float_constant("w", {64, 10}, random_floats(640, 3)));
  model.graph.nodes.push_back(make_node("Flatten", {"q4"}, "flat_q4"));
  model.graph.nodes.push_back(make_node("MatMul", {"flat_q4", "w"}, "z"));
  model.graph.outputs.push_back(model::make_value("z", DataType::kFloat, {1, 10}));
  const auto shapes =
      engine::infer_shapes(engine::runtime_for_tests(), system_env(), model, {{{"x:3", 48}}, {}});
  ASSERT_TRUE(shapes.has_value());
  const std::vector<TensorMap> samples = samples_of_many_widths();
  const auto data = calibration(samples);
  MethodContext context = {*shapes, kNoProgress, {}, &data};
  context.slow_products = SlowProducts::kTell;
  const auto outcome = (*find_method("static"))->run(model, context);
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  const auto& applied = outcome->applied;
  EXPECT_TRUE(std::any_of(applied.begin(), applied.end(), [](const AppliedOptimization& item) {
    return item.name == "dynamic_int8_matmul";
  })) << "the rest";
  for (const Decision& decision : outcome->decisions) EXPECT_NE(decision.action, "warn");
}

TEST(Static, NeedsData) {
  model::Model model = mobile_like();
  const model::ShapeTable shapes;
  const auto* row = *find_method("static");
  EXPECT_TRUE(row->needs_calibration);
  const auto without = row->run(model, {shapes, kNoProgress});
  ASSERT_FALSE(without.has_value());
  EXPECT_EQ(without.error().code(), ErrorCode::kInvalidArgument);
  const std::vector<TensorMap> none;
  const auto data = calibration(none);
  const auto empty = gather_activations(mobile_like(), {{"c1"}}, data, kNoProgress);
  ASSERT_FALSE(empty.has_value());
  EXPECT_NE(empty.error().message().find("no sample"), std::string::npos);
}

TEST(Calibration, NamesASampleThatMakesNaN) {
  std::vector<TensorMap> samples = {image_sample(1), image_sample(2)};
  auto values = random_floats(size_t{3} * 32 * 48, 2);
  values[100] = std::numeric_limits<float>::quiet_NaN();
  samples[1].at("x") = make_float_tensor({1, 3, 32, 48}, values);
  const auto gathered =
      gather_activations(mobile_like(), {{"c1"}}, calibration(samples), kNoProgress);
  ASSERT_FALSE(gathered.has_value());
  EXPECT_EQ(gathered.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(gathered.error().message().find("sample 2 of the calibration data makes c1 NaN"),
            std::string::npos);
}

TEST(Noise, IsNotMeasuredOnASampleThatMakesNaN) {
  std::vector<TensorMap> samples = {image_sample(1, 60), image_sample(2)};
  auto values = random_floats(size_t{3} * 32 * 48, 2);
  values[100] = std::numeric_limits<float>::quiet_NaN();
  samples[1].at("x") = make_float_tensor({1, 3, 32, 48}, values);
  const auto measured =
      measure_noise(mobile_like(), {{"c1", {-1, 1}}}, calibration(samples), kNoProgress);
  ASSERT_FALSE(measured.has_value()) << "the smaller sample is taken";
  EXPECT_NE(measured.error().message().find("sample 2 of the calibration data makes c1 NaN"),
            std::string::npos);
}

TEST(Calibration, GathersWhatTheModelComputes) {
  const std::vector<TensorMap> samples = {image_sample(1), image_sample(2, 60)};
  const auto table =
      gather_activations(mobile_like(), {{"x", "r2"}}, calibration(samples), kNoProgress);
  ASSERT_TRUE(table.has_value());
  model::Model exposed = mobile_like();
  exposed.graph.outputs = {model::make_value("r2", DataType::kFloat, {1, 32, 32, -1})};
  ActivationStatistics expected;
  for (const TensorMap& inputs : samples) {
    const TensorMap outputs = run(exposed, inputs);
    expected.add(outputs.at("r2").values<float>());
  }
  EXPECT_EQ(table->activations.at("r2").samples(), 2);
  EXPECT_NEAR(table->activations.at("r2").extremes().high, expected.extremes().high, 1e-5);
  EXPECT_EQ(table->activations.at("r2").extremes().low, 0);
  EXPECT_NEAR(table->activations.at("x").extremes().low, -1, 1e-3);
}

TEST(Calibration, LooksAtWhatIsFedWithoutAModelToRun) {
  const std::vector<TensorMap> samples = {
      {{"x", make_float_tensor({3}, std::vector<float>{-1, 0.25F, 3})}}};
  const auto seen = gather_activations(mobile_like(), {{"x"}}, calibration(samples), kNoProgress);
  ASSERT_TRUE(seen.has_value()) << seen.error().to_string();
  EXPECT_EQ(seen->activations.at("x").extremes().low, -1);
  EXPECT_EQ(seen->activations.at("x").extremes().high, 3);
}

TEST(Calibration, GridsOfSamplesPartThemAndFollowNoOrder) {
  for (const size_t step : {1U, 2U, 8U}) {
    std::vector<size_t> remainders;
    for (size_t index = 0; index < 64; ++index) {
      size_t holders = 0;
      for (size_t first = 0; first < step; ++first) holders += SampleGrid{first, step}.holds(index);
      EXPECT_EQ(holders, 1);
      const bool held = SampleGrid{0, step}.holds(index);
      EXPECT_EQ(held, SampleGrid({0, 2 * step}).holds(index) ||
                          SampleGrid({step, 2 * step}).holds(index));
      if (!held) continue;
      remainders.push_back(index % step);
      EXPECT_EQ(remainders.size(), index / step + 1) << "one of each row";
    }
    if (step == 1) continue;
    EXPECT_NE(std::count(remainders.begin(), remainders.end(), remainders[0]), 64 / step);
  }
}

/// Samples that `gather_activations` looked at, of those that hold one of these values each.
int64_t samples_looked_at(const std::vector<float>& values, bool every_sample) {
  model::Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 13}};
  model.graph.inputs = {model::make_value("x", DataType::kFloat, {-1})};
  model.graph.outputs = {model::make_value("y", DataType::kFloat, {-1})};
  model.graph.nodes = {make_node("Neg", {"x"}, "y")};
  std::vector<TensorMap> samples;
  for (const float value : values) {
    auto floats = random_floats(5000, static_cast<uint32_t>(samples.size()));
    for (float& x : floats) x *= value;
    samples.push_back({{"x", make_float_tensor({5000}, floats)}});
  }
  const auto seen =
      gather_activations(model, {{"y"}, {}, every_sample}, calibration(samples), kNoProgress);
  EXPECT_TRUE(seen.has_value());
  return seen->activations.at("y").samples();
}

TEST(Calibration, LooksAtMoreSamplesUntilTheyTellNothingNew) {
  const std::vector<float> alike(64, 1);
  EXPECT_EQ(samples_looked_at(alike, false), 16);
  EXPECT_EQ(samples_looked_at(alike, true), 64);
  EXPECT_EQ(samples_looked_at(std::vector<float>(15, 1), false), 15) << "too few to leave one out";
  std::vector<float> growing = alike;  // each grid shows larger values than those before it
  for (size_t i = 0; i < growing.size(); ++i) {
    for (const size_t step : {8U, 4U, 2U}) growing[i] *= SampleGrid{0, step}.holds(i) ? 1 : 2;
  }
  EXPECT_EQ(samples_looked_at(growing, false), 64);
}

TEST(Noise, OfAllValuesTogetherIsThatOfOneAtATime) {
  constexpr size_t kValues = 30;
  constexpr int64_t kWidth = 4096;
  model::Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 13}};
  model.graph.inputs = {model::make_value("x", DataType::kFloat, {kWidth})};
  RangeTable ranges;
  std::string last = "x";
  for (size_t i = 0; i < kValues; ++i) {
    const std::string name = "v" + std::to_string(i);
    const auto shift = random_floats(kWidth, static_cast<uint32_t>(i));
    model.graph.initializers.push_back(make_float_constant(name + "_c", {kWidth}, shift));
    model.graph.nodes.push_back(make_node("Add", {last, name + "_c"}, name + "_sum"));
    model.graph.nodes.push_back(make_node("Sin", {name + "_sum"}, name));
    // Each loses another amount.
    ranges[name] = {-1, static_cast<float>(1 + i % 7)};
    last = name;
  }
  model.graph.outputs = {model::make_value(last, DataType::kFloat, {kWidth})};
  std::vector<TensorMap> samples(1);
  samples[0]["x"] = make_float_tensor({kWidth}, random_floats(kWidth, 99));
  const auto data = calibration(samples);
  const auto together = measure_noise(model, ranges, data, kNoProgress);
  ASSERT_TRUE(together.has_value()) << together.error().to_string();
  ASSERT_EQ(together->size(), kValues);
  double sum = 0;
  for (const auto& [name, noise] : *together) sum += noise;
  for (const auto& [name, range] : ranges) {
    const auto alone = measure_noise(model, {{name, range}}, data, kNoProgress);
    ASSERT_TRUE(alone.has_value());
    EXPECT_NEAR(together->at(name), alone->at(name), 0.25 * alone->at(name) + 0.02 * sum) << name;
  }
}

}  // namespace
}  // namespace wattwise::quantize
