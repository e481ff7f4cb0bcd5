// SPDX-License-Identifier: Apache-2.0
#include "quantize/float_products.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/session.h"
#include "model/test_models.h"
#include "quantize/quantize_testing.h"

namespace wattwise::quantize {
namespace {

using fixtures::count;
using fixtures::Made;
using fixtures::make;
using model::make_float_constant;
using model::random_floats;

std::vector<float> positive_floats(size_t size, uint32_t seed) {
  std::vector<float> values = random_floats(size, seed);
  for (float& value : values) value = std::abs(value);
  return values;
}

/// Filters over a spectrum of 10 frames, then the logarithm or what is given.
model::Model filters(const std::string& last = "Log") {
  model::Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 17}};
  model.graph.name = "filters";
  model.graph.inputs = {model::make_value("x", DataType::kFloat, {10, 128})};
  model.graph.outputs = {model::make_value("y", DataType::kFloat, {32, 10})};
  model.graph.initializers = {
      make_float_constant("w", {128, 32}, positive_floats(size_t{128} * 32, 3)),
      make_float_constant("least", {}, std::vector<float>{1e-9F})};
  model.graph.nodes = {
      model::make_node("MatMul", {"x", "w"}, "m"), model::make_node("Add", {"m", "least"}, "a"),
      model::make_node("Transpose", {"a"}, "t"), model::make_node(last, {"t"}, "y")};
  return model;
}

/// Frames whose loudness spans 70 dB.
TensorMap spectrum() {
  std::vector<float> values = positive_floats(size_t{10} * 128, 5);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] *= std::pow(10.0F, -static_cast<float>(i / 128) * 0.75F);
  }
  return {{"x", make_float_tensor({10, 128}, values)}};
}

TEST(FloatProducts, WhatALogarithmFollowsIsStoredAndNotMultipliedInIntegers) {
  const model::Model original = filters();
  const TensorMap expected = fixtures::run(original, spectrum());
  for (const char* method : {"dynamic", "weight_only", "int4", "mixed"}) {
    const Made made = make(original, method);
    EXPECT_EQ(count(made.model, "MatMul"), 1) << method;
    const TensorMap answers = fixtures::run(made.model, spectrum());
    const auto of_float = expected.at("y").values<float>();
    const auto of_made = answers.at("y").values<float>();
    for (size_t i = 0; i < of_float.size(); ++i) ASSERT_NEAR(of_made[i], of_float[i], 0.03);
  }
  EXPECT_EQ(count(make(filters("Sigmoid"), "dynamic").model, "MatMul"), 0);
}

TEST(FloatProducts, KernelsOfAFourierTransformBeforeALogarithmKeep16Bits) {
  model::Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 17}};
  model.graph.name = "transform";
  model.graph.inputs = {model::make_value("x", DataType::kFloat, {1, 1, 300})};
  model.graph.outputs = {model::make_value("y", DataType::kFloat, {1, 16, 4})};
  model.graph.initializers = {
      make_float_constant("k", {16, 1, 100}, random_floats(size_t{16} * 100, 3)),
      make_float_constant("w", {201, 4}, positive_floats(size_t{201} * 4, 4))};
  model.graph.nodes = {
      model::make_node("Conv", {"x", "k"}, "c"), model::make_node("Mul", {"c", "c"}, "s"),
      model::make_node("MatMul", {"s", "w"}, "m"), model::make_node("Log", {"m"}, "y")};
  const auto precision = [&] { return make(model, "weight_only").outcome.layers[0].precision; };
  EXPECT_EQ(precision().substr(0, 4), "fp16");
  model.graph.nodes.back().op_type = "Exp";
  EXPECT_EQ(precision().substr(0, 4), "int8");
}

Made make_where_faster(const model::Model& original, std::string_view method) {
  const auto shapes = engine::infer_shapes(engine::runtime_for_tests(), system_env(), original, {});
  MethodContext context{*shapes, fixtures::kNoProgress};
  context.only_where_faster = true;
  Made made{model::clone(original), {}};
  auto outcome = (*find_method(method))->run(made.model, context);
  EXPECT_TRUE(outcome.has_value()) << method;
  made.outcome = std::move(*outcome);
  return made;
}

TEST(FloatProducts, SmallOnesStayWhereOnlyFasterOnesAreWanted) {
  const model::Model small = model::dense_like(64, 64);
  const model::Model large = model::dense_like(512, 512);
  for (const char* method : {"dynamic", "weight_only"}) {
    EXPECT_EQ(count(make(small, method).model, "MatMul"), 0) << method;
    const Made made = make_where_faster(small, method);
    EXPECT_EQ(count(made.model, "MatMul"), 1) << method;
    EXPECT_EQ(made.outcome.layers.at(0).precision.substr(0, 4), "int8");
    EXPECT_EQ(made.outcome.decisions.at(0).action, "multiply_in_float");
    EXPECT_EQ(count(make_where_faster(large, method).model, "MatMul"), 0) << method;
  }
}

TEST(FloatProducts, ShortStepsOfRecurrencesStayToo) {
  EXPECT_EQ(count(make_where_faster(model::speech_like(16), "dynamic").model, "LSTM"), 2);
  EXPECT_EQ(count(make_where_faster(model::speech_like(256), "dynamic").model, "LSTM"), 0);
}

}  // namespace
}  // namespace wattwise::quantize
