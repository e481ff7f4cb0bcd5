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

Made make_with(SlowProducts slow, const model::Model& original, std::string_view method) {
  const auto shapes = engine::infer_shapes(engine::runtime_for_tests(), system_env(), original, {});
  MethodContext context{*shapes, fixtures::kNoProgress};
  context.slow_products = slow;
  Made made{model::clone(original), {}};
  auto outcome = (*find_method(method))->run(made.model, context);
  EXPECT_TRUE(outcome.has_value()) << method;
  made.outcome = std::move(*outcome);
  return made;
}

Made make_where_faster(const model::Model& original, std::string_view method) {
  return make_with(SlowProducts::kLeave, original, method);
}

/// The reasons of all warnings.
std::vector<std::string> warnings(const Made& made) {
  std::vector<std::string> reasons;
  for (const Decision& decision : made.outcome.decisions) {
    if (decision.action == "warn") reasons.push_back(decision.subject + ": " + decision.reason);
  }
  return reasons;
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

TEST(FloatProducts, WhatOnlySomeProcessorsGainStaysInFloatWhereOnlyFasterOnesAreWanted) {
  model::Model many_rows = model::dense_like(512, 512);
  many_rows.graph.inputs = {model::make_value("x", DataType::kFloat, {128, 512})};
  EXPECT_EQ(count(make_where_faster(many_rows, "dynamic").model, "MatMul"), 0);
  EXPECT_EQ(count(make_where_faster(many_rows, "weight_only").model, "MatMul"), 1);
  const Made named = make_with(SlowProducts::kTell, many_rows, "weight_only");
  EXPECT_EQ(count(named.model, "MatMul"), 0);
  EXPECT_TRUE(warnings(named).empty());
}

TEST(FloatProducts, ShortStepsOfRecurrencesStayToo) {
  EXPECT_EQ(count(make_where_faster(model::speech_like(16), "dynamic").model, "LSTM"), 2);
  EXPECT_EQ(count(make_where_faster(model::speech_like(256), "dynamic").model, "LSTM"), 0);
}

TEST(FloatProducts, SlowOnesAreTakenAndToldWhereThatIsWanted) {
  for (const std::string method : {"dynamic", "weight_only", "int4"}) {
    const Made small = make_with(SlowProducts::kTell, model::dense_like(64, 64), method);
    EXPECT_EQ(count(small.model, "MatMul"), 0) << method;
    ASSERT_EQ(warnings(small).size(), 1u) << method;
    const std::string told = warnings(small)[0];
    EXPECT_EQ(told.find(method + ": 1 of 1 quantized products are estimated to be slower"), 0u)
        << told;
    EXPECT_NE(told.find(", w the most"), std::string::npos) << told;
    const Made large = make_with(SlowProducts::kTell, model::dense_like(512, 512), method);
    EXPECT_TRUE(warnings(large).empty()) << method << " " << warnings(large)[0];
    EXPECT_TRUE(warnings(make(model::dense_like(64, 64), method)).empty()) << method;
  }
}

TEST(FloatProducts, OnlyWhatMultipliesIntegersIsTold) {
  const model::Model speech = model::speech_like(16);
  EXPECT_EQ(warnings(make_with(SlowProducts::kTell, speech, "dynamic")).size(), 1u);
  EXPECT_TRUE(warnings(make_with(SlowProducts::kTell, speech, "weight_only")).empty());
  EXPECT_TRUE(warnings(make_with(SlowProducts::kTell, model::speech_like(256), "dynamic")).empty());
}

TEST(FloatProducts, AFewSlowOnesBesideALargeOneAreNotWorthAWarning) {
  model::Model model = model::dense_like(1024, 1024);
  model.graph.initializers.push_back(
      make_float_constant("small", {1024, 4}, random_floats(4096, 9)));
  model.graph.outputs = {model::make_value("z", DataType::kFloat, {-1, 4})};
  model.graph.nodes.push_back(model::make_node("MatMul", {"y", "small"}, "z"));
  const Made made = make_with(SlowProducts::kTell, model, "dynamic");
  EXPECT_TRUE(warnings(made).empty());
}

TEST(FloatProducts, WhoNamesAMethodIsTold) {
  QuantizationConfig config;
  config.objective = "energy";
  EXPECT_EQ(slow_products({"auto", false}, config), SlowProducts::kLeave);
  EXPECT_EQ(slow_products({"dynamic", false}, config), SlowProducts::kTell);
  EXPECT_EQ(slow_products({"dynamic", true}, config), SlowProducts::kTake);
  config.objective = "size";
  EXPECT_EQ(slow_products({"auto", false}, config), SlowProducts::kTake);
  EXPECT_EQ(slow_products({"weight_only", false}, config), SlowProducts::kTell);
}

}  // namespace
}  // namespace wattwise::quantize
