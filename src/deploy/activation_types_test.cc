// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "deploy/prepare.h"
#include "deploy/test_folder.h"
#include "model/load.h"
#include "model/walk.h"

namespace wattwise::deploy {
namespace {

using ActivationTypes = FolderTest;

/// A matrix product whose rows of inputs, random, calibrate it.
PrepareOptions statically(const std::string& path, int64_t width) {
  PrepareOptions options;
  options.model_path = path;
  options.quantization_method = "static";
  options.use_cache = false;
  options.bundle = false;
  options.calibration_data.start = [width]() -> Result<SampleStream> {
    return SampleStream([width, next = uint32_t{0}]() mutable -> Result<std::optional<Sample>> {
      if (next == 12) return std::optional<Sample>();
      const auto values = model::random_floats(static_cast<size_t>(width), ++next);
      return std::optional(Sample{{{{"", make_float_tensor({1, width}, values)}}, {}}, {}});
    });
  };
  return options;
}

DeploymentOptions for_target(DeploymentOptions options, const std::string& target) {
  options.deployment_target = target;
  return options;
}

/// The types of what QuantizeLinear makes.
std::vector<DataType> quantized_types(const std::string& path) {
  const auto written = model::load(system_env(), path);
  EXPECT_TRUE(written.has_value());
  std::vector<DataType> types;
  for (const model::Node& node : written->graph.nodes) {
    if (node.op_type != "QuantizeLinear") continue;
    const auto& constants = written->graph.initializers;
    const auto zero = std::find_if(constants.begin(), constants.end(), [&](const auto& constant) {
      return constant.name == node.inputs[2];
    });
    EXPECT_NE(zero, constants.end());
    types.push_back(zero->type);
  }
  return types;
}

TEST_F(ActivationTypes, FollowTheTargetsProviderAndGiveWayToTheLimit) {
  const std::string path = save(model::dense_like(64, 25), "dense.onnx");
  const auto strict = R"({"quantization": {"max_accuracy_drop_percent": 0.0005}})";
  const auto lenient = R"({"quantization": {"max_accuracy_drop_percent": 5}})";
  for (const auto& [patch, type] :
       {std::pair{lenient, DataType::kUint8}, std::pair{strict, DataType::kUint16}}) {
    const auto made = context(system_env(), for_target(options(patch), "QUALCOMM"));
    const auto result = prepare(*made, statically(path, 64));
    ASSERT_TRUE(result.has_value()) << result.error().to_string();
    EXPECT_EQ(result->quantization_method, "static");
    const auto types = quantized_types(result->output_model_path);
    EXPECT_EQ(types, std::vector<DataType>(3, type)) << "x, product, y";
    const auto& told = result->decisions;
    EXPECT_EQ(std::any_of(told.begin(), told.end(),
                          [](const Decision& decision) {
                            return decision.action == "fall_back" && decision.subject == "uint8";
                          }),
              type == DataType::kUint16);
  }
}

TEST_F(ActivationTypes, OthersThanTheProviderComputesInAreRefused) {
  const std::string path = save(model::dense_like(64, 25), "dense.onnx");
  const auto before = tree(models());
  const auto made =
      context(system_env(), options(R"({"quantization": {"activation_type": "uint16"}})"));
  const auto result = prepare(*made, statically(path, 64));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(result.error().to_string().find("cpu computes in uint8 or int8 only"),
            std::string::npos)
      << result.error().to_string();
  EXPECT_EQ(tree(models()), before);
  PrepareOptions other = statically(path, 64);
  other.quantization_method = "weight_only";
  EXPECT_TRUE(prepare(*made, other).has_value()) << "which holds no activations in any type";
}

TEST_F(ActivationTypes, TheFirstIsKeptWhereTheNextCannotBeHad) {
  const std::string path = save(model::dense_like(64, 25), "dense.onnx");
  const auto made =
      context(system_env(),
              for_target(options(R"({"quantization": {"max_accuracy_drop_percent": 0.0005}})"),
                         "QUALCOMM"));
  PrepareOptions request = statically(path, 64);
  request.opset = 17;  // uint16 came with 21
  const auto result = prepare(*made, request);
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  EXPECT_EQ(result->quantization_method, "static");
  EXPECT_EQ(quantized_types(result->output_model_path), std::vector<DataType>(3, DataType::kUint8));
  EXPECT_TRUE(
      std::any_of(result->decisions.begin(), result->decisions.end(), [](const Decision& decision) {
        return decision.reason.find("cannot be had") != std::string::npos;
      }));
}

TEST_F(ActivationTypes, OnesThatOnlySomeProcessorsMultiplyCarryAWarning) {
  const std::string path = save(model::dense_like(64, 25), "dense.onnx");
  const auto made =
      context(system_env(), options(R"({"quantization": {"activation_type": "int8"}})"));
  const auto result = prepare(*made, statically(path, 64));
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  EXPECT_EQ(quantized_types(result->output_model_path), std::vector<DataType>(3, DataType::kInt8));
  EXPECT_TRUE(
      std::any_of(result->decisions.begin(), result->decisions.end(), [](const Decision& decision) {
        return decision.action == "warn" &&
               decision.reason.find("on Arm processors only") != std::string::npos;
      }));
}

}  // namespace
}  // namespace wattwise::deploy
