// SPDX-License-Identifier: Apache-2.0
#include "deploy/mixed_search.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "deploy/prepare.h"
#include "deploy/test_folder.h"

namespace wattwise::deploy {
namespace {

using model::make_float_constant;
using model::make_node;
using model::make_value;
using model::random_floats;

constexpr int64_t kWidth = 64;

/// Ten matrices in a row with a residual each; three have a row of large weights.
model::Model deep() {
  model::Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 17}};
  model.graph.name = "deep";
  model.graph.inputs = {make_value("x0", DataType::kFloat, {1, 16, kWidth})};
  model.graph.outputs = {make_value("x10", DataType::kFloat, {1, 16, kWidth})};
  for (uint32_t i = 0; i < 10; ++i) {
    const std::string at = std::to_string(i);
    auto weights = random_floats(kWidth * kWidth, i + 1);
    for (float& weight : weights) weight *= 0.1F;
    for (size_t k = 0; i % 4 == 1 && k < kWidth; ++k) weights[3 * kWidth + k] *= 100;
    model.graph.initializers.push_back(make_float_constant("w" + at, {kWidth, kWidth}, weights));
    model.graph.nodes.push_back(make_node("MatMul", {"x" + at, "w" + at}, "m" + at));
    model.graph.nodes.push_back(make_node("Tanh", {"m" + at}, "t" + at));
    model.graph.nodes.push_back(
        make_node("Add", {"x" + at, "t" + at}, "x" + std::to_string(i + 1)));
  }
  return model;
}

using Mixed = FolderTest;

PrepareOptions request(const std::string& path, const std::string& method) {
  PrepareOptions options;
  options.model_path = path;
  options.quantization_method = method;
  options.use_cache = false;
  options.bundle = false;
  return options;
}

std::string patch(double limit) {
  return R"({"quantization": {"objective": "size", "max_accuracy_drop_percent": )" +
         std::to_string(limit) + "}}";
}

int64_t count(const PrepareResult& result, const std::string& action) {
  return std::count_if(result.decisions.begin(), result.decisions.end(),
                       [&](const Decision& decision) { return decision.action == action; });
}

TEST_F(Mixed, KeepsEveryLimitWithFewFilesAndGetsLargerAsItIsTighter) {
  const std::string path = save(deep(), "deep.onnx");
  int64_t smaller = 0;
  for (const double limit : {20.0, 0.5, 0.01, 0.0003}) {
    const auto made = context(system_env(), options(patch(limit)));
    const auto result = prepare(*made, request(path, "mixed"));
    ASSERT_TRUE(result.has_value()) << result.error().to_string();
    EXPECT_EQ(result->quantization_method, "mixed") << limit;
    EXPECT_LE(result->accuracy.drop_percent, limit);
    EXPECT_GE(count(*result, "try"), 1);
    EXPECT_LE(count(*result, "try"), kMostEvaluations);
    EXPECT_GE(result->optimized_size_bytes, smaller) << limit;
    smaller = result->optimized_size_bytes;
  }
}

TEST_F(Mixed, RanksLayersByWhatTheyDoToTheOutputs) {
  const auto made = context(system_env(), options(patch(0.05)));
  const auto result = prepare(*made, request(save(deep(), "deep.onnx"), "mixed"));
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  ASSERT_EQ(result->layers.size(), 10u);
  double last = 100;
  double sum = 0;
  for (const LayerQuantization& layer : result->layers) {
    ASSERT_TRUE(layer.measured_error_percent && layer.estimated_error_percent) << layer.layer;
    EXPECT_LE(*layer.measured_error_percent, last);
    EXPECT_FALSE(layer.action.empty());
    last = *layer.measured_error_percent;
    sum += last;
  }
  EXPECT_NEAR(sum, 100, 1e-6);
}

TEST_F(Mixed, ALimitThatNoMixtureKeepsFallsBackAndSaysSo) {
  const auto made = context(system_env(), options(patch(0)));
  const auto result = prepare(*made, request(save(deep(), "deep.onnx"), "mixed"));
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  EXPECT_EQ(result->quantization_method, "none");
  EXPECT_GE(count(*result, "fall_back"), 2) << "mixed, and the configured fallback";
}

TEST_F(Mixed, AutoTakesItWhereItsFirstChoiceLosesTooMuch) {
  const auto made = context(system_env(), options(patch(0.05)));
  const auto result = prepare(*made, request(save(deep(), "deep.onnx"), "auto"));
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  EXPECT_EQ(result->quantization_method, "mixed");
  EXPECT_LE(result->accuracy.drop_percent, 0.05);
}

}  // namespace
}  // namespace wattwise::deploy
