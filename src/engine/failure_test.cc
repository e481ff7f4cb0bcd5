// SPDX-License-Identifier: Apache-2.0
// What a caller is told when ONNX Runtime refuses a model or its inputs.
#include <gtest/gtest.h>

#include "engine/session.h"

namespace wattwise::engine {
namespace {

model::Value free_vector(std::string name) {
  model::Value value;
  value.name = std::move(name);
  value.type = DataType::kFloat;
  value.shape = {model::Dimension{std::nullopt, value.name + "_size", ""}};
  return value;
}

/// y = op(a, b) on vectors of any length.
model::Model binary_model(const std::string& op, const std::string& domain = "") {
  model::Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 17}};
  if (!domain.empty()) model.opset_imports.push_back({domain, 1});
  model.graph.name = "main";
  model.graph.inputs = {free_vector("a"), free_vector("b")};
  model.graph.outputs = {free_vector("y")};
  model::Node node;
  node.name = "the_node";
  node.op_type = op;
  node.domain = domain;
  node.inputs = {"a", "b"};
  node.outputs = {"y"};
  model.graph.nodes = {node};
  return model;
}

Result<std::unique_ptr<Session>> try_open(const model::Model& model) {
  auto runtime = load_runtime(system_env(), {});
  EXPECT_TRUE(runtime.has_value()) << runtime.error().to_string();
  return open_session(*runtime, system_env(), model, "m.onnx", {});
}

TEST(Failure, InputsThatDoNotGoTogetherAreNamedAndNoSourceFileIs) {
  const auto session = try_open(binary_model("Add"));
  ASSERT_TRUE(session.has_value()) << session.error().to_string();
  const std::vector<float> three(3), four(4);
  const auto ran =
      (*session)->run({{"a", make_float_tensor({3}, three)}, {"b", make_float_tensor({4}, four)}});
  ASSERT_FALSE(ran.has_value());
  EXPECT_EQ(ran.error().code(), ErrorCode::kInvalidArgument);
  const std::string& message = ran.error().message();
  EXPECT_NE(message.find("the Add node \"the_node\""), std::string::npos) << message;
  EXPECT_NE(message.find("a float[3], b float[4]"), std::string::npos) << message;
  EXPECT_EQ(message.find("onnxruntime_src"), std::string::npos) << message;
  EXPECT_EQ(message.find(".h:"), std::string::npos) << message;
}

TEST(Failure, AnUnknownOperatorIsUnsupported) {
  for (const auto& [op, domain] : {std::pair("Foo", "com.acme"), std::pair("Foo", "")}) {
    const auto session = try_open(binary_model(op, domain));
    ASSERT_FALSE(session.has_value());
    EXPECT_EQ(session.error().code(), ErrorCode::kUnsupported) << session.error().message();
    EXPECT_NE(session.error().message().find("export the model"), std::string::npos);
  }
}

}  // namespace
}  // namespace wattwise::engine
