// SPDX-License-Identifier: Apache-2.0
#include "quantize/awq.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/session.h"
#include "measure/metrics.h"
#include "model/graph_edit.h"
#include "model/test_models.h"
#include "quantize/quantize_testing.h"
#include "quantize/rounding_grids.h"

namespace wattwise::quantize {
namespace {

using fixtures::kNoProgress;
using model::make_float_constant;
using model::make_node;
using model::random_floats;

constexpr size_t kAwqInputs = 64;
constexpr size_t kAwqOutputs = 48;

RoundingGrid int4_of(Floats weights, size_t rows) {
  return int4_grid(weights, rows, weights.size() / rows, {32}).grid;
}

/// Every eighth column is many times as large as the others.
std::vector<float> uneven_columns(size_t count, uint32_t seed) {
  std::vector<float> values = random_floats(count, seed);
  for (size_t i = 0; i < count; i += 8) values[i] *= 20;
  return values;
}

InputStatistics statistics_of(const std::vector<float>& rows) {
  InputStatistics statistics;
  statistics.rows = static_cast<int64_t>(rows.size() / kAwqInputs);
  statistics.largest.assign(kAwqInputs, 1);
  statistics.excerpts.push_back({rows, {}, {}});
  return statistics;
}

TEST(Awq, ProtectsRowsThatMultiplyMuch) {
  const auto weights = random_floats(kAwqInputs * kAwqOutputs, 1);
  const AwqScaling scaling =
      choose_awq(statistics_of(uneven_columns(20 * kAwqInputs, 2)), {weights}, int4_of);
  ASSERT_EQ(scaling.divisors.size(), kAwqInputs);
  EXPECT_GT(scaling.strength, 0);
  EXPECT_GT(scaling.divisors[0], 1.5F * scaling.divisors[1]);
  EXPECT_LT(scaling.error.noise, 0.8 * scaling.without.noise);
  EXPECT_NEAR(scaling.error.signal / scaling.without.signal, 1, 1e-4);
  const std::vector<float> even(20 * kAwqInputs, 1);
  EXPECT_TRUE(choose_awq(statistics_of(even), {weights}, int4_of).divisors.empty());
}

/// A gain, a matrix and its bias.
model::Model gained() {
  model::Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 14}};
  model.graph.name = "gained";
  model.graph.inputs = {model::make_value("x", DataType::kFloat, {-1, kAwqInputs})};
  model.graph.outputs = {model::make_value("y", DataType::kFloat, {-1, kAwqOutputs})};
  model.graph.initializers = {
      make_float_constant("gain", {kAwqInputs}, uneven_columns(kAwqInputs, 3)),
      make_float_constant("w", {kAwqInputs, kAwqOutputs},
                          random_floats(kAwqInputs * kAwqOutputs, 4)),
      make_float_constant("b", {kAwqOutputs}, random_floats(kAwqOutputs, 5))};
  model.graph.nodes = {make_node("Mul", {"x", "gain"}, "g"), make_node("MatMul", {"g", "w"}, "p"),
                       make_node("Add", {"p", "b"}, "y")};
  return model;
}

TensorMap awq_sample(uint32_t seed) {
  return {{"x", make_float_tensor({12, kAwqInputs}, random_floats(12 * kAwqInputs, seed))}};
}

class OnAGain : public testing::Test {
 protected:
  double error(const model::Model& model) const {
    std::vector<TensorMap> outputs;
    for (const model::Model* one : {&original_, &model}) {
      auto session = engine::open_session(runtime_, system_env(), *one, "test", {});
      EXPECT_TRUE(session.has_value()) << session.error().to_string();
      outputs.push_back(*(*session)->run(awq_sample(999)));
    }
    return 1 - measure::compare_outputs(outputs[0], outputs[1])->front().cosine;
  }

  const std::shared_ptr<engine::Runtime> runtime_ = engine::runtime_for_tests();
  const model::Model original_ = gained();
  const model::ShapeTable shapes_ =
      *engine::infer_shapes(runtime_, system_env(), original_, {{{"x:0", 12}}, {}});
  const CalibrationData data_{
      runtime_, system_env(), skip_samples([]() -> SampleReader {
        return [next = uint32_t{0}]() mutable -> Result<std::optional<TensorMap>> {
          if (next == 20) return std::optional<TensorMap>();
          return std::optional(awq_sample(next++));
        };
      })};
};

TEST_F(OnAGain, TheFloatModelAnswersAsBefore) {
  model::Model model = model::clone(original_);
  const auto outcome = scale_by_awq(model, {shapes_, kNoProgress, {}, &data_}, int4_of);
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  ASSERT_TRUE(model::verify(model).has_value());
  ASSERT_FALSE(outcome->outcome.applied.empty());
  EXPECT_EQ(outcome->outcome.applied.front().name, "scale_by_awq");
  EXPECT_EQ(model.graph.nodes.size(), 3u) << "the gain takes the divisors";
  EXPECT_LT(error(model), 1e-6);
}

TEST_F(OnAGain, Int4ErrsLess) {
  const auto quantize = [&](const std::vector<std::string>& techniques) {
    model::Model model = model::clone(original_);
    MethodContext context{shapes_, kNoProgress, {}, &data_};
    context.config.techniques = techniques;
    context.config.int4_arithmetic = "float";
    EXPECT_TRUE((*find_method("int4"))->run(model, context).has_value());
    return error(model);
  };
  EXPECT_LT(quantize({"awq", "-gptq"}), 0.8 * quantize({"-awq", "-gptq"}));
}

}  // namespace
}  // namespace wattwise::quantize
