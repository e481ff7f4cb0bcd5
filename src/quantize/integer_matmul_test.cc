// SPDX-License-Identifier: Apache-2.0
#include "quantize/integer_matmul.h"

#include <gtest/gtest.h>

#include "model/graph_edit.h"
#include "model/test_models.h"
#include "quantize/product_range.h"
#include "quantize/quantize_testing.h"

namespace wattwise::quantize {
namespace {

using fixtures::count;
using fixtures::make;
using fixtures::run;
using model::make_float_constant;
using model::make_node;
using model::make_value;
using model::random_floats;

constexpr int64_t kWide = 64;
constexpr int64_t kOddRows = 99;

model::Model empty_model(int64_t opset) {
  model::Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", opset}};
  model.graph.name = "products";
  model.graph.inputs = {make_value("x", DataType::kFloat, {-1, kWide})};
  return model;
}

void add_product(model::Model& model, const std::string& input, const std::string& output,
                 uint32_t seed) {
  model.graph.initializers.push_back(
      make_float_constant(output + "_matrix", {kWide, kWide}, random_floats(kWide * kWide, seed)));
  model.graph.nodes.push_back(make_node("MatMul", {input, output + "_matrix"}, output));
}

/// Two products of x, one with a bias, and a third of the sum of both.
model::Model shared_input(int64_t opset) {
  model::Model model = empty_model(opset);
  model.graph.outputs = {make_value("y", DataType::kFloat, {-1, kWide})};
  add_product(model, "x", "a", 1);
  add_product(model, "x", "b", 2);
  model.graph.initializers.push_back(make_float_constant("bias", {kWide}, random_floats(kWide, 3)));
  model.graph.nodes.push_back(make_node("Add", {"b", "bias"}, "c"));
  model.graph.nodes.push_back(make_node("Add", {"a", "c"}, "sum"));
  add_product(model, "sum", "y", 4);
  return model;
}

/// GELU(x A) times a constant, times B; `is_read` makes the GELU an output too.
model::Model gelu_like(bool is_read) {
  model::Model model = empty_model(13);
  model.graph.outputs = {make_value("y", DataType::kFloat, {-1, kWide})};
  if (is_read) model.graph.outputs.push_back(make_value("g", DataType::kFloat, {-1, kWide}));
  add_product(model, "x", "a", 1);
  const std::vector<float> root = {1.41421356F};
  const std::vector<float> one = {1};
  const std::vector<float> half = {0.5F};
  auto& constants = model.graph.initializers;
  constants.push_back(make_float_constant("root", {}, root));
  constants.push_back(make_float_constant("one", {}, one));
  constants.push_back(make_float_constant("half", {}, half));
  constants.push_back(make_float_constant("factors", {kWide}, random_floats(kWide, 5)));
  auto& nodes = model.graph.nodes;
  nodes.push_back(make_node("Div", {"a", "root"}, "scaled"));
  nodes.push_back(make_node("Erf", {"scaled"}, "erf"));
  nodes.push_back(make_node("Add", {"erf", "one"}, "sum"));
  nodes.push_back(make_node("Mul", {"a", "sum"}, "product"));
  nodes.push_back(make_node("Mul", {"product", "half"}, "g"));
  nodes.push_back(make_node("Mul", {"g", "factors"}, "smooth"));
  add_product(model, "smooth", "y", 4);
  return model;
}

fixtures::Made quantize_with_shapes(const model::Model& original) {
  const auto shapes = engine::infer_shapes(engine::runtime_for_tests(), system_env(), original, {});
  EXPECT_TRUE(shapes.has_value());
  fixtures::Made made{model::clone(original), {}};
  auto outcome = find_method("dynamic").value()->run(made.model, {*shapes, fixtures::kNoProgress});
  EXPECT_TRUE(outcome.has_value());
  made.outcome = *outcome;
  return made;
}

TEST(IntegerProducts, RoundWhatTheyShareOnceWithTheSameBits) {
  const auto together = make(shared_input(13), "dynamic");
  EXPECT_EQ(count(together.model, "DynamicQuantizeLinear"), 1);
  EXPECT_EQ(count(together.model, "MatMulIntegerToFloat"), 2);
  EXPECT_EQ(count(together.model, "DynamicQuantizeMatMul"), 1) << "which reads its input alone";
  const auto apart = make(shared_input(10), "dynamic");
  EXPECT_EQ(count(apart.model, "DynamicQuantizeMatMul"), 3) << "older sets cannot round apart";
  const Tensor expected = run(apart.model).at("y");
  const Tensor found = run(together.model).at("y");
  EXPECT_TRUE(std::ranges::equal(found.values<float>(), expected.values<float>()));
}

TEST(IntegerProducts, TakeAGeluByATangentWhereNothingElseReadsIt) {
  const model::Model original = gelu_like(false);
  const auto made = quantize_with_shapes(original);
  EXPECT_EQ(count(made.model, "FastGelu"), 1);
  EXPECT_EQ(count(made.model, "Erf"), 0);
  EXPECT_GT(fixtures::cosine(original, made.model), 0.9995);
  const auto read = quantize_with_shapes(gelu_like(true));
  EXPECT_EQ(count(read.model, "FastGelu"), 0);
  EXPECT_EQ(count(read.model, "Erf"), 1);
}

/// Three samples of 99 rows within [-1, 1]; of the last, one element is `largest`.
std::vector<TensorMap> samples_with(float largest) {
  std::vector<TensorMap> samples;
  for (uint32_t seed = 1; seed <= 3; ++seed) {
    auto values = random_floats(size_t{kOddRows} * kWide, seed);
    if (seed == 3) values[7] = largest;
    samples.push_back({{"x", make_float_tensor({kOddRows, kWide}, values)}});
  }
  return samples;
}

fixtures::Made quantize_statically(const model::Model& original, float largest) {
  const std::vector<TensorMap> samples = samples_with(largest);
  const CalibrationData data{
      engine::runtime_for_tests(), system_env(), [&samples]() {
        return [&samples, next = size_t{0}]() mutable -> Result<std::optional<TensorMap>> {
          if (next == samples.size()) return std::optional<TensorMap>();
          return std::optional(samples[next++]);
        };
      }};
  fixtures::Made made{model::clone(original), {}};
  auto outcome = find_method("static").value()->run(
      made.model, {fixtures::kNoShapes, fixtures::kNoProgress, {}, &data});
  EXPECT_TRUE(outcome.has_value());
  made.outcome = *outcome;
  return made;
}

int64_t applied(const MethodOutcome& outcome, std::string_view name) {
  for (const AppliedOptimization& item : outcome.applied) {
    if (item.name == name) return item.node_count;
  }
  return 0;
}

TEST(IntegerProducts, AreRoundedOverOneRangeByStaticWhereSamplesAgree) {
  const model::Model original = shared_input(13);
  const auto made = quantize_statically(original, 0.5F);
  EXPECT_EQ(count(made.model, "QuantizeLinear"), 2) << "one for x, one for the sum";
  EXPECT_EQ(count(made.model, "MatMulIntegerToFloat"), 3);
  EXPECT_EQ(count(made.model, "DynamicQuantizeLinear"), 0);
  EXPECT_EQ(applied(made.outcome, "static_int8_matmul"), 3);
  const TensorMap inputs = {
      {"x", make_float_tensor({kOddRows, kWide}, random_floats(kOddRows * kWide, 9))}};
  EXPECT_GT(fixtures::cosine(run(original, inputs), run(made.model, inputs)), 0.999);
}

TEST(IntegerProducts, KeepTheRangeOfTheInferenceWhereASampleStandsOut) {
  const auto made = quantize_statically(shared_input(13), 100);
  EXPECT_EQ(count(made.model, "QuantizeLinear"), 0);
  EXPECT_EQ(count(made.model, "DynamicQuantizeLinear"), 1);
  EXPECT_EQ(applied(made.outcome, "static_int8_matmul"), 0);
  EXPECT_EQ(applied(made.outcome, "dynamic_int8_matmul"), 3);
}

TEST(ProductRange, IsThatOfMeanExtremesAndCountsWhatItClips) {
  InputStatistics statistics;
  statistics.excerpts = {{{1, -1}, {0, -1}, {1, 0}, 1}, {{3, -1}, {0, -1}, {3, 0}, 1}};
  const ProductRange even = choose_product_range(statistics);
  EXPECT_EQ(even.range.low, -1);
  EXPECT_EQ(even.range.high, 2);
  EXPECT_NEAR(even.error, 0.25 + 9.0 / 255 / 255 / 12, 1e-6) << "3 of two elements becomes 2";
  EXPECT_NEAR(even.error_own, (4.0 + 16) / 2 / 255 / 255 / 12, 1e-6);
  EXPECT_FALSE(is_faithful(even));
  statistics.excerpts.pop_back();
  EXPECT_TRUE(is_faithful(choose_product_range(statistics)));
}

}  // namespace
}  // namespace wattwise::quantize
