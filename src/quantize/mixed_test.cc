// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/session.h"
#include "model/graph_edit.h"
#include "model/test_models.h"
#include "quantize/methods/methods.h"
#include "quantize/mixed_plan.h"
#include "quantize/quantize_testing.h"
#include "quantize/sensitivity.h"
#include "quantize/signed_sums.h"

namespace wattwise::quantize {
namespace {

using fixtures::kNoProgress;
using model::make_float_constant;
using model::make_node;
using model::make_value;
using model::random_floats;

constexpr int64_t kRowWidth = 64;

TensorMap row_sample(uint32_t seed) {
  return {{"x", make_float_tensor({1, 16, kRowWidth}, random_floats(16 * kRowWidth, seed))}};
}

CalibrationData row_samples(uint32_t count) {
  return {engine::runtime_for_tests(), system_env(), skip_samples([count]() -> SampleReader {
            return [count, next = uint32_t{0}]() mutable -> Result<std::optional<TensorMap>> {
              if (next == count) return std::optional<TensorMap>();
              return std::optional(row_sample(++next));
            };
          })};
}

/// Two matrices side by side read x, one of whose columns is small. The second matrix makes up for
/// that by a row of large weights, which leaves 8 bits of a column nothing for its other rows.
model::Model two_matrices() {
  model::Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 17}};
  model.graph.name = "two";
  model.graph.inputs = {make_value("x", DataType::kFloat, {1, 16, kRowWidth})};
  model.graph.outputs = {make_value("y", DataType::kFloat, {1, 16, kRowWidth})};
  std::vector<float> gains(kRowWidth, 1);
  gains[5] = 0.004F;
  std::vector<float> uneven = random_floats(kRowWidth * kRowWidth, 3);
  for (size_t i = 0; i < kRowWidth; ++i) uneven[5 * kRowWidth + i] *= 250;
  model.graph.initializers = {
      make_float_constant("gains", {kRowWidth}, gains),
      make_float_constant("even", {kRowWidth, kRowWidth}, random_floats(kRowWidth * kRowWidth, 2)),
      make_float_constant("uneven", {kRowWidth, kRowWidth}, uneven)};
  model.graph.nodes = {
      make_node("Mul", {"x", "gains"}, "g"), make_node("MatMul", {"g", "even"}, "a"),
      make_node("MatMul", {"g", "uneven"}, "b"), make_node("Add", {"a", "b"}, "y")};
  return model;
}

/// Three matrices in a row, and one whose result hardly counts.
model::Model chain() {
  model::Model model = two_matrices();
  auto& graph = model.graph;
  graph.initializers.clear();
  for (const char* name : {"w0", "w1", "w2", "w3"}) {
    auto values = random_floats(kRowWidth * kRowWidth, static_cast<uint32_t>(name[1]));
    for (float& value : values) value *= name[1] == '3' ? 0.01F : 0.2F;
    graph.initializers.push_back(make_float_constant(name, {kRowWidth, kRowWidth}, values));
  }
  graph.nodes = {make_node("MatMul", {"x", "w0"}, "a"), make_node("Tanh", {"a"}, "b"),
                 make_node("MatMul", {"b", "w1"}, "c"), make_node("MatMul", {"c", "w2"}, "d"),
                 make_node("MatMul", {"x", "w3"}, "e"), make_node("Add", {"d", "e"}, "y")};
  return model;
}

const LayerQuantization* find(const MethodOutcome& outcome, const std::string& weight) {
  for (const LayerQuantization& layer : outcome.layers) {
    if (layer.weight == weight) return &layer;
  }
  return nullptr;
}

TEST(Sensitivity, LengthsOfOrthogonalVectorsAreFoundFromFewSums) {
  constexpr size_t kUnknowns = 20;
  constexpr size_t kRuns = 12;
  std::vector<double> lengths(kUnknowns);
  for (size_t u = 0; u < kUnknowns; ++u) lengths[u] = u % 5 == 0 ? 0 : static_cast<double>(u * u);
  std::vector<float> signs = random_floats(kRuns * kUnknowns, 1);
  for (float& sign : signs) sign = sign < 0 ? -1 : 1;
  std::vector<double> products(kRuns * kRuns, 0);
  for (size_t r = 0; r < kRuns; ++r) {
    for (size_t s = 0; s < kRuns; ++s) {
      for (size_t u = 0; u < kUnknowns; ++u) {
        products[r * kRuns + s] += signs[r * kUnknowns + u] * signs[s * kUnknowns + u] * lengths[u];
      }
    }
  }
  const auto found = solve_signed_sums(signs, products, kRuns);
  for (size_t u = 0; u < kUnknowns; ++u) EXPECT_NEAR(found[u], lengths[u], 2) << u;
}

TEST(Sensitivity, OfAllAtOnceIsThatOfOneAtATime) {
  const model::Model model = chain();
  const CalibrationData data = row_samples(4);
  const auto measure = [&](std::optional<size_t> only) {
    const Disturbance disturbance = {
        [&](const Weight& weight, size_t index) {
          return format_errors(weight, !only || *only == index ? Format::kInt8 : Format::kFloat);
        },
        [](const Weight&, size_t) { return false; }};
    auto report = measure_sensitivity(model, disturbance, data, kNoProgress);
    EXPECT_TRUE(report.has_value()) << report.error().to_string();
    EXPECT_EQ(report->weights.size(), 4u);
    return report->weights;
  };
  const auto together = measure(std::nullopt);
  for (size_t i = 0; i < 3; ++i) {
    const double alone = measure(i)[i].weight;
    EXPECT_GT(alone, 0);
    EXPECT_NEAR(together[i].weight / alone, 1, 0.25) << i;
  }
  EXPECT_LT(together[3].weight, 0.1 * together[2].weight) << "its result is small";
}

TEST(Mixed, ALayerWithAnOutlierChannelStaysHigherAndSaysWhy) {
  const CalibrationData data = row_samples(3);
  const model::ShapeTable shapes;
  model::Model model = two_matrices();
  MethodContext context{shapes, kNoProgress};
  context.config.objective = "size";  // by time, matrices this small had better stay in float
  context.samples = &data;
  const auto outcome = run_mixed(model, context);
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  ASSERT_TRUE(model::verify(model).has_value());
  const auto* even = find(*outcome, "even");
  const auto* uneven = find(*outcome, "uneven");
  ASSERT_TRUE(even && uneven);
  EXPECT_NE(even->precision.find("int8"), std::string::npos) << even->precision;
  EXPECT_TRUE(uneven->precision == "float" || uneven->precision.starts_with("fp16"))
      << uneven->precision;
}

TEST(Mixed, SharesOfTheErrorAreMeasuredAndRanked) {
  const CalibrationData data = row_samples(3);
  const model::ShapeTable shapes;
  MethodContext context{shapes, kNoProgress};
  context.config.objective = "size";
  context.samples = &data;
  const auto plan = plan_mixed(two_matrices(), context);
  ASSERT_TRUE(plan.has_value()) << plan.error().to_string();
  const KnapsackChoice& cheapest = plan->choices.front();
  model::Model model = model::clone(plan->model);
  auto outcome = write_mixed(model, *plan, cheapest, context);
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  ASSERT_TRUE(rank_layers(*plan, cheapest, context, *outcome).has_value());
  ASSERT_EQ(outcome->layers.size(), 2u);
  const LayerQuantization& worst = outcome->layers.front();
  EXPECT_EQ(worst.weight, "uneven");
  EXPECT_NE(worst.hurt_by.find("outlier channel 5 of 64"), std::string::npos) << worst.hurt_by;
  EXPECT_FALSE(worst.action.empty());
  EXPECT_GT(*worst.measured_error_percent, 90);
  EXPECT_GT(*worst.estimated_error_percent, 50);
  EXPECT_NEAR(*worst.measured_error_percent + *outcome->layers.back().measured_error_percent, 100,
              1e-6);
}

/// The choice that gives each layer the format of its weight.
KnapsackChoice pick(MixedPlan& plan, const std::map<std::string, Format>& formats) {
  KnapsackChoice choice;
  std::vector<Decision> told;
  const auto weights = find_weights(plan.model, told);
  for (const MixedLayer& layer : plan.layers) {
    const Format format = formats.at(weights[layer.index].name);
    const auto it = std::find_if(layer.options.begin(), layer.options.end(),
                                 [&](const auto& option) { return option.format == format; });
    EXPECT_NE(it, layer.options.end()) << weights[layer.index].name;
    choice.picks.push_back(static_cast<size_t>(it - layer.options.begin()));
  }
  return choice;
}

TEST(Mixed, WhatFourBitMatricesReadIsPartOfTheirError) {
  const CalibrationData data = row_samples(3);
  const model::ShapeTable shapes;
  MethodContext context{shapes, kNoProgress};
  context.samples = &data;
  model::Model model = two_matrices();
  std::vector<float> exact(kRowWidth * kRowWidth);  // in 4 bits too
  for (size_t i = 0; i < exact.size(); ++i) {
    exact[i] = (static_cast<float>((i / kRowWidth + i) % 16) - 8) * 0.9375F;
  }
  model.graph.initializers[1] = make_float_constant("even", {kRowWidth, kRowWidth}, exact);
  auto plan = plan_mixed(model, context);
  ASSERT_TRUE(plan.has_value()) << plan.error().to_string();
  const auto choice = pick(*plan, {{"even", Format::kInt4}, {"uneven", Format::kHalf}});
  model::Model written = model::clone(plan->model);
  auto outcome = write_mixed(written, *plan, choice, context);
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  EXPECT_GT(find(*outcome, "even")->weight_sqnr_db, 100);
  ASSERT_TRUE(rank_layers(*plan, choice, context, *outcome).has_value());
  EXPECT_GT(*find(*outcome, "even")->measured_error_percent, 50);
}

TEST(Mixed, TablesMayTakeFourBits) {
  const model::ShapeTable shapes;
  MethodContext context{shapes, kNoProgress};
  context.config.objective = "size";
  auto plan = plan_mixed(model::text_like(), context);
  ASSERT_TRUE(plan.has_value()) << plan.error().to_string();
  const MixedLayer& table = plan->layers.front();
  const auto noise = [&](Format format) {
    const auto it = std::find_if(table.options.begin(), table.options.end(),
                                 [&](const auto& option) { return option.format == format; });
    return it == table.options.end() ? -1 : it->noise;
  };
  EXPECT_GT(noise(Format::kInt4), 10 * noise(Format::kInt8));
  const auto choice =
      pick(*plan, {{"table", Format::kInt4}, {"w1", Format::kFloat}, {"w2", Format::kFloat}});
  model::Model written = model::clone(plan->model);
  const auto outcome = write_mixed(written, *plan, choice, context);
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  EXPECT_EQ(find(*outcome, "table")->precision, "int4 block 32 of a row");
  const double of_weights = std::pow(10, find(*outcome, "table")->weight_sqnr_db / 10);
  double power = 0;
  for (const double value : random_floats(size_t{200} * 64, 1)) power += value * value;
  EXPECT_NEAR(noise(Format::kInt4) * of_weights / power, 1, 1e-3) << "what is written is counted";
}

TEST(Mixed, CheaperChoicesMakeMoreNoiseAndNoneIsMore) {
  const model::ShapeTable shapes;
  const auto plan = plan_mixed(chain(), {shapes, kNoProgress});
  ASSERT_TRUE(plan.has_value()) << plan.error().to_string();
  ASSERT_GT(plan->choices.size(), 3u);
  EXPECT_EQ(plan->choices.back().noise, 0) << "all of it in float";
  for (size_t i = 1; i < plan->choices.size(); ++i) {
    EXPECT_LT(plan->choices[i].noise, plan->choices[i - 1].noise);
    EXPECT_GT(plan->choices[i].cost, plan->choices[i - 1].cost);
  }
}

TEST(Mixed, BytesOfFourBitsGoByTheBlockThatIsWanted) {
  const auto bytes = [](const char* block, bool is_symmetric) {
    const model::ShapeTable shapes;
    MethodContext context{shapes, kNoProgress};
    context.config.int4_block_size = block;
    context.config.int4_symmetric = is_symmetric;
    const auto plan = plan_mixed(model::dense_like(256, 64), context);
    EXPECT_TRUE(plan.has_value());
    for (const FormatOption& option : plan->layers.front().options) {
      if (option.format == Format::kInt4) return option.bytes;
    }
    return 0.0;
  };
  constexpr double kWeights = 256 * 64;
  EXPECT_EQ(bytes("auto", false), kWeights * (0.5 + 1.0 / 32));
  EXPECT_EQ(bytes("16", false), kWeights * (0.5 + 1.0 / 16));
  EXPECT_EQ(bytes("128", true), kWeights * (0.5 + 0.5 / 128)) << "no zero points";
}

}  // namespace
}  // namespace wattwise::quantize
