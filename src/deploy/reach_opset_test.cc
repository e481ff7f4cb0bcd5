// SPDX-License-Identifier: Apache-2.0
#include "deploy/reach_opset.h"

#include <gtest/gtest.h>

#include <array>

#include "deploy/prepare.h"
#include "deploy/rewrite.h"
#include "deploy/test_folder.h"
#include "model/graph_edit.h"
#include "model/load.h"

namespace wattwise::deploy {
namespace {

using ReachOpset = FolderTest;

/// y = x without its ends: where to cut is computed, but always the same, or an input's business.
model::Model cut(bool by_input) {
  model::Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 13}};
  model.graph.name = "main";
  const auto value = [](const char* name, DataType type, std::vector<model::Dimension> shape) {
    model::Value made;
    made.name = name;
    made.type = type;
    made.shape = std::move(shape);
    return made;
  };
  model.graph.inputs = {value("x", DataType::kFloat, {{6, "", {}}})};
  model.graph.outputs = {value("y", DataType::kFloat, {{{}, "n", {}}})};
  const std::array<int64_t, 1> one = {1};
  const std::array<int64_t, 1> five = {5};
  model.graph.initializers = {model::make_int64_constant("one", {1}, one),
                              model::make_int64_constant("five", {1}, five)};
  if (by_input) model.graph.inputs.push_back(value("start", DataType::kInt64, {{1, "", {}}}));
  const char* start = by_input ? "start" : "computed";
  if (!by_input) model.graph.nodes.push_back(model::make_node("Mul", {"one", "one"}, start));
  model.graph.nodes.push_back(model::make_node("Slice", {"x", start, "five"}, "y"));
  model.graph.nodes.back().name = "cutting";
  return model;
}

OptimizeOptions request(const std::string& path) {
  OptimizeOptions options;
  options.model_path = path;
  return options;
}

DeploymentOptions with_opset(DeploymentOptions options, int64_t opset) {
  options.config_patches.emplace_back(
      "test", R"({"optimization": {"opset": )" + std::to_string(opset) + "}}");
  return options;
}

TEST_F(ReachOpset, AModelThatIsThereGetsAFileFormatAsOld) {
  model::Model old = cut(true);
  old.opset_imports = {{"", 10}};
  old.ir_version = 8;
  const std::string path = save(std::move(old), "cut.onnx");
  const auto made = context(system_env(), with_opset(options(), 10));
  const auto document = optimize_model(*made, request(path));
  ASSERT_TRUE(document.has_value()) << document.error().to_string();
  const auto written = model::load(system_env(), document->at("output_model_path"));
  ASSERT_TRUE(written.has_value());
  EXPECT_EQ(written->ir_version, 5);
}

TEST_F(ReachOpset, PassesThatCameFirstAreCounted) {
  const auto made = context(system_env(), with_opset(options(), 9));
  const auto document = optimize_model(*made, request(save(cut(false), "cut.onnx")));
  ASSERT_TRUE(document.has_value()) << document.error().to_string();
  EXPECT_EQ(document->at("original_node_count"), 2);
  EXPECT_EQ(document->at("optimized_node_count"), 1);
  bool folded = false;
  for (const Json& pass : document->at("passes")) {
    folded = folded || (pass.at("name") == "fold_constants" && pass.at("changed") == 1);
  }
  EXPECT_TRUE(folded);
}

TEST_F(ReachOpset, RaisesAndLowersWhatIsWritten) {
  const std::string path = save(cut(false), "cut.onnx");
  for (const int64_t opset : {9, 11, 17, 24}) {
    const auto made = context(system_env(), with_opset(options(), opset));
    const auto result = optimize_model(*made, request(path));
    ASSERT_TRUE(result.has_value()) << result.error().to_string();
    EXPECT_EQ((*result)["decisions"][0]["action"], "convert_opset");
    const auto written =
        model::load(system_env(), (*result)["output_model_path"].get<std::string>());
    ASSERT_TRUE(written.has_value());
    EXPECT_EQ(written->opset(""), opset);
    EXPECT_EQ((*result)["accuracy"]["outputs"]["y"]["max_relative_error"], 0);
  }
}

TEST_F(ReachOpset, OneCallMayWantAnotherThanTheSetting) {
  const std::string path = save(cut(false), "cut.onnx");
  const auto made = context(system_env(), with_opset(options(), 17));
  PrepareOptions wanted;
  wanted.model_path = path;
  wanted.quantization_method = "none";
  wanted.bundle = false;
  for (const int64_t opset : {11, 15}) {  // the second may not be taken from the cache
    wanted.opset = opset;
    const auto result = prepare(*made, wanted);
    ASSERT_TRUE(result.has_value()) << result.error().to_string();
    EXPECT_EQ(model::load(system_env(), result->output_model_path)->opset(""), opset);
  }
  OptimizeOptions alone = request(path);
  alone.opset = 12;
  const auto result = optimize_model(*made, alone);
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  const auto written = model::load(system_env(), (*result)["output_model_path"].get<std::string>());
  EXPECT_EQ(written->opset(""), 12);
  alone.opset = 25;
  EXPECT_EQ(optimize_model(*made, alone).error().code(), ErrorCode::kUnsupported);
}

TEST_F(ReachOpset, RefusesByTheNodesName) {
  const std::string path = save(cut(true), "cut.onnx");
  const auto made = context(system_env(), with_opset(options(), 9));
  const auto result = optimize_model(*made, request(path));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(result.error().message().find("\"cutting\""), std::string::npos);
  EXPECT_EQ(system_env().list_directory(models())->size(), 1U);
}

}  // namespace
}  // namespace wattwise::deploy
