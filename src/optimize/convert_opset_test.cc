// SPDX-License-Identifier: Apache-2.0
#include "optimize/convert_opset.h"

#include <gtest/gtest.h>

#include "engine/session.h"
#include "measure/metrics.h"
#include "model/graph_edit.h"
#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

using Ints = std::vector<int64_t>;

class ConvertOpset : public ::testing::Test {
 protected:
  TensorMap run(const model::Model& model) {
    const auto session = engine::open_session(runtime_, system_env(), model, "the model", {});
    EXPECT_TRUE(session.has_value()) << (session ? "" : session.error().to_string());
    if (!session) return {};
    const auto inputs = engine::make_random_inputs((*session)->inputs(), {}, 3);
    const auto outputs = (*session)->run(*inputs);
    EXPECT_TRUE(outputs.has_value()) << (outputs ? "" : outputs.error().to_string());
    return outputs ? *outputs : TensorMap();
  }

  /// Converts a copy and expects the same answers; returns the copy.
  model::Model converted(const model::Model& model, int64_t version) {
    model::Model copy = model::clone(model);
    const auto shapes = engine::infer_free_shapes(runtime_, system_env(), model);
    EXPECT_TRUE(shapes.has_value()) << (shapes ? "" : shapes.error().to_string());
    const auto done = convert_opset(copy, version, *shapes);
    EXPECT_TRUE(done.has_value()) << (done ? "" : done.error().to_string());
    EXPECT_EQ(copy.opset(""), version);
    const auto compared = measure::compare_outputs(run(model), run(copy));
    EXPECT_TRUE(compared.has_value()) << (compared ? "" : compared.error().to_string());
    for (const auto& output : *compared) EXPECT_LE(output.max_relative_error, 1e-6);
    return copy;
  }

  std::shared_ptr<engine::Runtime> runtime_ =
      *engine::load_runtime(system_env(), {});  // shared with the sessions made from it
};

TEST_F(ConvertOpset, AttributesBecomeInputs) {
  ModelBuilder b(9);
  b.input("x", {1, 4, 6, 6});
  b.node("Clip", {"x"}, "a", {{"max", 0.5F}});
  b.node("Pad", {"a"}, "b", {{"pads", Ints{0, 0, 1, 1, 0, 0, 1, 1}}, {"value", 2.0F}});
  b.node("Slice", {"b"}, "c", {{"starts", Ints{1}}, {"ends", Ints{5}}, {"axes", Ints{2}}});
  b.node("Unsqueeze", {"c"}, "d", {{"axes", Ints{0}}});
  b.node("ReduceSum", {"d"}, "e", {{"axes", Ints{3}}, {"keepdims", int64_t{0}}});
  b.node("Squeeze", {"e"}, "f", {{"axes", Ints{0}}});
  b.node("Split", {"f"}, "g", {{"axis", int64_t{1}}, {"split", Ints{1, 3}}}).outputs = {"g", "h"};
  b.node("ReduceMax", {"h"}, "m", {{"axes", Ints{1}}});
  b.node("TopK", {"m"}, "k", {{"k", int64_t{2}}}).outputs = {"k", "places"};
  b.node("Dropout", {"k"}, "y", {{"ratio", 0.3F}});
  b.output("g");
  b.output("y");
  for (const int64_t version : {10, 11, 12, 13, 17, 18, 21}) converted(b.model(), version);
}

TEST_F(ConvertOpset, UpsampleBecomesResize) {
  ModelBuilder b(8);
  b.input("x", {1, 2, 3, 3});
  b.node("Upsample", {"x"}, "a",
         {{"mode", std::string("nearest")}, {"scales", std::vector<float>{1, 1, 2, 2}}});
  b.node("Upsample", {"a"}, "y",
         {{"mode", std::string("linear")}, {"scales", std::vector<float>{1, 1, 1.5F, 2}}});
  b.output("y");
  for (const int64_t version : {9, 10, 11, 13, 19}) converted(b.model(), version);
}

TEST_F(ConvertOpset, SoftmaxOverSeveralAxes) {
  ModelBuilder b(11);
  b.input("x", {2, 3, 4});
  b.node("Softmax", {"x"}, "flat", {{"axis", int64_t{1}}});
  b.node("LogSoftmax", {"x"}, "last", {{"axis", int64_t{2}}});
  b.output("flat");
  b.output("last");
  const auto copy = converted(b.model(), 13);
  EXPECT_EQ(count_nodes(copy, "Flatten"), 1);
}

TEST_F(ConvertOpset, ReachesInnerGraphs) {
  const auto branch = [](const std::string& name, float limit) {
    ModelBuilder b(10);
    b.node("Clip", {"x"}, name, {{"min", -limit}, {"max", limit}});
    b.output(name);
    return std::make_shared<model::Graph>(b.model().graph);
  };
  ModelBuilder b(10);
  b.input("x", {4});
  b.input("condition", {}, DataType::kBool);
  b.node("If", {"condition"}, "y",
         {{"then_branch", branch("a", 0.5F)}, {"else_branch", branch("b", 0.25F)}});
  b.output("y");
  converted(b.model(), 13);
}

TEST_F(ConvertOpset, InputsBecomeAttributes) {
  ModelBuilder b(21);
  b.input("x", {1, 4, 6, 6});
  b.floats("low", {}, {-0.5F});
  b.floats("two", {}, {2});
  b.integers("pads", {4}, {1, 2, 0, 1});
  b.integers("pad_axes", {2}, {-1, 1});
  for (const auto& [name, value] :
       {std::pair("zero", 0), {"one", 1}, {"five", 5}, {"minus_two", -2}}) {
    b.integers(name, {1}, {value});
  }
  b.node("Clip", {"x", "low"}, "a");
  b.node("Pad", {"a", "pads", "two", "pad_axes"}, "b");
  b.node("Slice", {"b", "one", "five", "minus_two"}, "c");
  b.node("Unsqueeze", {"c", "zero"}, "d");
  b.node("ReduceMean", {"d", "minus_two"}, "e", {{"keepdims", int64_t{0}}});
  b.node("Squeeze", {"e", "zero"}, "f");
  b.node("Split", {"f"}, "g", {{"axis", int64_t{-1}}, {"num_outputs", int64_t{2}}}).outputs = {"g",
                                                                                               "h"};
  b.node("TopK", {"h", "two_long"}, "k").outputs = {"k", "places"};
  b.integers("two_long", {1}, {2});
  b.node("Dropout", {"k"}, "y");
  b.output("g");
  b.output("y");
  for (const int64_t version : {20, 17, 13, 12, 11, 10, 9, 8, 7}) {
    const auto copy = converted(b.model(), version);
    EXPECT_EQ(copy.graph.nodes[0].attribute("min") != nullptr, version < 11);
  }
  EXPECT_EQ(converted(b.model(), 9).ir_version, 4);
}

TEST_F(ConvertOpset, NewOperatorsAreSpelledOut) {
  ModelBuilder b(24);
  b.input("x", {2, 4, 6});
  b.random("scale", {6});
  b.random("channels", {4});
  b.node("LayerNormalization", {"x", "scale", "scale"}, "a");
  b.node("RMSNormalization", {"a", "scale"}, "b");
  b.node("Gelu", {"b"}, "c");
  b.node("Gelu", {"c"}, "d", {{"approximate", std::string("tanh")}});
  b.node("Swish", {"d"}, "e", {{"alpha", 1.5F}});
  b.node("HardSwish", {"e"}, "f");
  b.node("Mish", {"f"}, "g");
  b.node("Celu", {"g"}, "h", {{"alpha", 0.5F}});
  b.node("GroupNormalization", {"h", "channels", "channels"}, "i", {{"num_groups", int64_t{2}}});
  b.node("Softmax", {"i"}, "y", {{"axis", int64_t{1}}});
  b.output("y");
  for (const int64_t version : {23, 22, 20, 19, 17, 16, 13, 12, 11, 10, 9}) {
    const auto copy = converted(b.model(), version);
    EXPECT_EQ(count_nodes(copy, "Transpose"), version < 13 ? 2 : 0);
    EXPECT_EQ(count_nodes(copy, "InstanceNormalization"), version < 21 ? 1 : 0);
  }
}

TEST_F(ConvertOpset, ResizeBecomesUpsample) {
  ModelBuilder b(18);
  b.input("x", {1, 2, 3, 3});
  b.floats("scales", {2}, {2, 3});
  b.integers("sizes", {4}, {1, 2, 12, 18});
  b.node("Resize", {"x", "", "scales"}, "a",
         {{"mode", std::string("nearest")}, {"axes", Ints{2, 3}}});
  b.node("Resize", {"a", "", "", "sizes"}, "y",
         {{"mode", std::string("linear")},
          {"coordinate_transformation_mode", std::string("asymmetric")}});
  b.output("y");
  for (const int64_t version : {17, 13, 12, 11, 10, 9, 8}) converted(b.model(), version);
  EXPECT_EQ(count_nodes(converted(b.model(), 9), "Upsample"), 2);
}

TEST_F(ConvertOpset, RefusesWhatOlderSetsCannotSay) {
  ModelBuilder b(13);
  b.input("x", {1, 2, 3, 3});
  b.floats("scales", {4}, {1, 1, 1.5F, 1.5F});
  b.node("Clip", {"x"}, "a");
  b.node("Resize", {"a", "", "scales"}, "y", {{"mode", std::string("linear")}}).name = "larger";
  b.output("y");
  converted(b.model(), 11);
  const auto shapes = engine::infer_free_shapes(runtime_, system_env(), b.model());
  const auto done = convert_opset(b.model(), 10, *shapes);
  ASSERT_FALSE(done.has_value());
  EXPECT_NE(done.error().message().find("\"larger\""), std::string::npos);
  EXPECT_EQ(b.model().opset(""), 13);
}

TEST_F(ConvertOpset, RefusesByNameAndChangesNothing) {
  ModelBuilder b(8);
  b.input("x", {1, 2, 3, 3});
  b.random("w", {2});
  b.node("BatchNormalization", {"x", "w", "w", "w", "w"}, "y", {{"spatial", int64_t{0}}}).name =
      "odd";
  b.node("Clip", {"y"}, "z", {{"min", 0.0F}});
  b.output("z");
  const auto done = convert_opset(b.model(), 13, {});
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(done.error().message().find("\"odd\""), std::string::npos);
  EXPECT_EQ(b.model().opset(""), 8);
  EXPECT_TRUE(b.model().graph.nodes[1].attribute("min"));
}

TEST_F(ConvertOpset, RefusesSetsThatItDoesNotKnow) {
  ModelBuilder old(6);
  EXPECT_FALSE(convert_opset(old.model(), 13, {}).has_value());
  ModelBuilder b(13);
  EXPECT_FALSE(convert_opset(b.model(), 99, {}).has_value());
  EXPECT_FALSE(convert_opset(b.model(), 6, {}).has_value());
  EXPECT_TRUE(convert_opset(b.model(), 13, {}).has_value());
  EXPECT_EQ(b.model().opset(""), 13);
}

}  // namespace
}  // namespace wattwise::optimize::testing
