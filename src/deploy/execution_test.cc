// SPDX-License-Identifier: Apache-2.0
// Models that are too large to be run as a whole, on small ones with little memory allowed.
#include "deploy/execution.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/failing_env.h"
#include "deploy/prepare.h"
#include "deploy/rewrite.h"
#include "deploy/test_folder.h"
#include "model/save.h"
#include "quantize/quantize.h"

namespace wattwise::deploy {
namespace {

constexpr const char* kNoMemory = R"({"memory_optimization": {"max_preparation_mb": 0}})";

/// Weights large enough to go to files: Gather -> MatMul -> Mul by channel -> MatMul -> MatMul.
model::Model wide() {
  constexpr int64_t kWide = 768;
  model::Model model = model::text_like();
  const auto weights = [&](const char* name, int64_t rows, int64_t columns, uint32_t seed) {
    return model::make_float_constant(
        name, {rows, columns}, model::random_floats(static_cast<size_t>(rows * columns), seed));
  };
  model.graph.initializers = {
      weights("table", 400, 64, 1), weights("w1", 64, kWide, 2), weights("w2", kWide, kWide, 3),
      weights("w3", kWide, 32, 4),
      model::make_float_constant("s", {kWide}, model::random_floats(kWide, 5))};
  model.graph.nodes = {model::make_node("Gather", {"table", "ids"}, "e"),
                       model::make_node("MatMul", {"e", "w1"}, "a"),
                       model::make_node("Relu", {"a"}, "r"),
                       model::make_node("Mul", {"r", "s"}, "b"),
                       model::make_node("MatMul", {"b", "w2"}, "c"),
                       model::make_node("MatMul", {"c", "w3"}, "y")};
  return model;
}

class Execution : public FolderTest {
 protected:
  PrepareResult prepare_with(const std::string& path, const std::string& method,
                             const std::string& patch) {
    PrepareOptions what;
    what.model_path = path;
    what.quantization_method = method;
    what.output_path = at("models/out/" + method + (patch.empty() ? "" : "_blocks") + ".onnx");
    what.bundle = false;
    auto result = prepare(*context(system_env(), options(patch)), what);
    EXPECT_TRUE(result.has_value()) << result.error().to_string();
    return result ? *result : PrepareResult();
  }
  static bool told(const std::vector<Decision>& decisions, const std::string& action) {
    return std::any_of(decisions.begin(), decisions.end(),
                       [&](const Decision& decision) { return decision.action == action; });
  }
};

TEST_F(Execution, BlocksGiveTheSameFileByteForByte) {
  const std::vector<model::Model> models = {model::text_like(), model::image_like(), wide()};
  for (size_t i = 0; i < models.size(); ++i) {
    const std::string path = save(models[i], "m" + std::to_string(i) + ".onnx");
    std::vector<std::string> methods = {"auto"};
    for (const auto& row : quantize::method_table()) {
      // What measures the whole model is refused in blocks.
      if (!row.needs_calibration && row.name != "mixed") methods.emplace_back(row.name);
    }
    for (const std::string& method : methods) {
      SCOPED_TRACE(method + " of model " + std::to_string(i));
      const auto whole = prepare_with(path, method, "");
      const auto blocks = prepare_with(path, method, kNoMemory);
      EXPECT_EQ(blocks.quantization_method, whole.quantization_method);
      EXPECT_TRUE(*system_env().read_file(whole.output_model_path) ==
                  *system_env().read_file(blocks.output_model_path));
      EXPECT_EQ(whole.accuracy.execution, "whole");
      EXPECT_TRUE(blocks.accuracy.execution.starts_with("block by block"));
      EXPECT_FALSE(told(whole.decisions, "run_in_blocks"));
      EXPECT_TRUE(told(blocks.decisions, "run_in_blocks"));
      const auto latency = [](const PrepareResult& result) {
        return *result.power_efficiency.figures.at("latency_ms").value;
      };
      EXPECT_NEAR(latency(whole), latency(blocks), 1e-6 * latency(whole));
      ASSERT_EQ(whole.accuracy.outputs.size(), blocks.accuracy.outputs.size());
      EXPECT_NEAR(whole.accuracy.outputs[0].cosine, blocks.accuracy.outputs[0].cosine, 1e-4);
    }
  }
}

TEST_F(Execution, OptimizeGivesTheSameFileByteForByte) {
  OptimizeOptions what;
  what.model_path = save(wide(), "wide.onnx");
  what.output_path = at("models/whole.onnx");
  const auto whole = optimize_model(*context(system_env(), options()), what);
  what.output_path = at("models/blocks.onnx");
  const auto blocks = optimize_model(*context(system_env(), options(kNoMemory)), what);
  ASSERT_TRUE(whole.has_value() && blocks.has_value());
  EXPECT_TRUE(*system_env().read_file(at("models/whole.onnx")) ==
              *system_env().read_file(at("models/blocks.onnx")));
  EXPECT_EQ((*whole)["accuracy"]["execution"], "whole");
  EXPECT_NE((*blocks)["accuracy"]["execution"], "whole");
  EXPECT_FALSE((*blocks)["optimizations_applied"].empty()) << "the scale goes into the weights";
  EXPECT_EQ(system_env().list_directory(models())->size(), 3u) << "input and two outputs";
}

TEST_F(Execution, ExternalDataIsReadWhereItLies) {
  const std::string path = at("models/outside.onnx");
  ASSERT_TRUE(model::save(system_env(), wide(), path, "outside.weights").has_value());
  const auto whole = prepare_with(path, "int4", "");
  const auto blocks = prepare_with(path, "int4", kNoMemory);
  EXPECT_TRUE(*system_env().read_file(whole.output_model_path) ==
              *system_env().read_file(blocks.output_model_path));
}

TEST_F(Execution, AFullDiskAtAnyCallLeavesNothing) {
  PrepareOptions what;
  what.model_path = save(wide(), "wide.onnx");
  what.quantization_method = "int4";
  const auto before = tree(models());
  FailingEnv counter(system_env(), 0);
  ASSERT_TRUE(prepare(*context(counter, options(kNoMemory)), what).has_value());
  for (int n = 1; n <= counter.calls(); ++n) {
    SCOPED_TRACE(n);
    ASSERT_TRUE(system_env().remove(models()).has_value());
    ASSERT_TRUE(system_env().create_directories(models()).has_value());
    for (const auto& [path, content] : before) {
      auto file = *system_env().create_file(path);
      ASSERT_TRUE(file->append(std::as_bytes(std::span<const char>(content))).has_value());
    }
    FailingEnv env(system_env(), n);
    const auto result = prepare(*context(env, options(kNoMemory)), what);
    if (result) continue;  // what failed was the database
    EXPECT_NE(result.error().to_string().find("no space left"), std::string::npos)
        << result.error().to_string();
    // A disk that fails to sync the folder after the last move has the output already.
    if (result.error().to_string().find("cannot sync " + models() + ":") != std::string::npos) {
      continue;
    }
    EXPECT_EQ(tree(models()), before);
  }
}

TEST_F(Execution, MemoryThatIsAllowedOrLeftDecides) {
  const auto made = context(system_env(), options(R"({"memory_optimization":
      {"max_preparation_mb": 10}})"));
  EXPECT_FALSE(too_large_to_run(*made, 4'900'000).has_value());
  const auto why = too_large_to_run(*made, 5'100'000);
  ASSERT_TRUE(why.has_value());
  EXPECT_NE(why->find("max_preparation_mb"), std::string::npos) << *why;
  const auto plenty = context(system_env(), options(R"({"memory_optimization":
      {"max_preparation_mb": 1e12}})"));
  EXPECT_FALSE(too_large_to_run(*plenty, 1'000'000).has_value());
  const auto left = too_large_to_run(*plenty, uint64_t{1} << 50);
  ASSERT_TRUE(left.has_value());
  EXPECT_NE(left->find("memory that the system has left"), std::string::npos) << *left;
}

}  // namespace
}  // namespace wattwise::deploy
