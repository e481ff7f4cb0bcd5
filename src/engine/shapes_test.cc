// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "engine/session.h"
#include "model/save.h"
#include "model/test_models.h"

namespace wattwise::engine {
namespace {

using Shape = std::vector<int64_t>;

model::ShapeTable shapes_of(const model::Model& model, const InputGuess& guess,
                            const model::ShapeTable& known = {}) {
  auto runtime = load_runtime(system_env(), {});
  EXPECT_TRUE(runtime.has_value()) << runtime.error().to_string();
  auto shapes = infer_shapes(*runtime, system_env(), model, guess, known);
  EXPECT_TRUE(shapes.has_value()) << shapes.error().to_string();
  return *shapes;
}

PortInfo port(std::string name, DataType type, Shape shape) {
  PortInfo info{std::move(name), type, std::move(shape), {}, false};
  info.dim_names.resize(info.shape.size());
  return info;
}

template <typename T>
std::vector<T> list(const Tensor& tensor) {
  const auto values = tensor.values<T>();
  return {values.begin(), values.end()};
}

TEST(InferShapes, KnowsEveryValueForTheSizesThatWereGuessed) {
  const auto model = model::dense_like();
  const auto by_default = shapes_of(model, {});
  EXPECT_EQ(by_default.at("m").shape, (Shape{1, 3}));
  for (const std::string key : {"x:0", "x_0"}) {
    const auto shapes = shapes_of(model, {{{key, 5}}, {}});
    EXPECT_EQ(shapes.at("x").shape, (Shape{5, 4})) << key;
    EXPECT_EQ(shapes.at("m").shape, (Shape{5, 3})) << key;
    EXPECT_EQ(shapes.at("y").shape, (Shape{5, 3})) << key;
    EXPECT_EQ(shapes.at("w").shape, (Shape{4, 3})) << key;
    EXPECT_EQ(shapes.at("y").type, DataType::kFloat);
  }
}

TEST(InferShapes, SeesConstantsOfBothKindsAndTypes) {
  const auto shapes = shapes_of(model::text_like(), {});
  EXPECT_EQ(shapes.at("w2").shape, (Shape{48, 32})) << "a Constant node";
  EXPECT_EQ(shapes.at("table").shape, (Shape{200, 64})) << "a large initializer";
  EXPECT_EQ(shapes.at("ids").type, DataType::kInt64);
  EXPECT_EQ(shapes.at("e").shape, (Shape{1, 8, 64}));
}

TEST(InferShapes, LeavesTheModelAsItWas) {
  const auto model = model::text_like();
  const std::string before = *model::serialize(model);
  shapes_of(model, {});
  EXPECT_EQ(*model::serialize(model), before);
}

/// Range(0, n, 1): how long it is depends on the value of n alone.
model::Model computed_size() {
  model::Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 17}};
  model.graph.name = "computed";
  model.graph.inputs = {model::make_value("n", DataType::kInt64, {})};
  model.graph.outputs = {model::make_value("y", DataType::kInt64, {-1})};
  const std::vector<int64_t> zero = {0};
  const std::vector<int64_t> one = {1};
  model.graph.initializers = {model::make_int64_constant("zero", {}, zero),
                              model::make_int64_constant("one", {}, one)};
  model.graph.nodes = {model::make_node("Range", {"zero", "n", "one"}, "r"),
                       model::make_node("Abs", {"r"}, "y")};
  return model;
}

TEST(InferShapes, ASizeThatIsComputedIsSeenByRunningOnce) {
  const model::Model model = computed_size();
  EXPECT_EQ(shapes_of(model, {{}, {{"n", 7}}}).at("r").shape, (Shape{7}));
  EXPECT_EQ(shapes_of(model, {}).at("y").shape, (Shape{1})) << "others get 1";
}

TEST(InferShapes, WhatIsKnownNeedsNoRun) {
  const model::ShapeTable known = {{"r", {DataType::kInt64, {9}}}};
  const auto shapes = shapes_of(computed_size(), {{}, {{"n", 7}}}, known);
  EXPECT_EQ(shapes.at("r").shape, (Shape{9})) << "a run would show 7";
  EXPECT_EQ(shapes.at("y").shape, (Shape{9})) << "what follows is inferred";
}

TEST(InferShapes, OnlyWhatIsOpenIsBelieved) {
  const InputGuess seven = {{}, {{"n", 7}}};
  const model::ShapeTable other_type = {{"r", {DataType::kFloat, {9}}}};
  EXPECT_EQ(shapes_of(computed_size(), seven, other_type).at("r").shape, (Shape{7}));
  const model::ShapeTable open = {{"r", {DataType::kInt64, {-1}}}};
  EXPECT_EQ(shapes_of(computed_size(), seven, open).at("y").shape, (Shape{7}));
  const model::ShapeTable wrong = {{"m", {DataType::kFloat, {8, 8}}}};
  EXPECT_EQ(shapes_of(model::dense_like(), {}, wrong).at("m").shape, (Shape{1, 3}));
}

TEST(InferShapes, ABranchThatIsNotTakenNeedNotFitTheSizes) {
  // Old forms of If must make the same sizes in both branches; x [n, 8] gives [2n, 4] or [n, 4].
  const auto branch = [](const std::string& read, const std::string& output) {
    auto graph = std::make_shared<model::Graph>();
    graph->name = output;
    graph->outputs = {model::make_value(output, DataType::kFloat, {-1, 4})};
    const std::vector<int64_t> four = {-1, 4};
    graph->initializers = {model::make_int64_constant(output + "_shape", {2}, four)};
    graph->nodes = {model::make_node("Reshape", {read, output + "_shape"}, output)};
    return graph;
  };
  model::Model model;
  model.ir_version = 4;
  model.opset_imports = {{"", 9}};
  model.graph.name = "branches";
  model.graph.inputs = {model::make_value("taken", DataType::kBool, {}),
                        model::make_value("x", DataType::kFloat, {-1, 8})};
  model.graph.outputs = {model::make_value("y", DataType::kFloat, {-1, 4})};
  model::Node half = model::make_node("Slice", {"x"}, "h");
  half.set_attribute("axes", std::vector<int64_t>{1});
  half.set_attribute("starts", std::vector<int64_t>{0});
  half.set_attribute("ends", std::vector<int64_t>{4});
  model::Node choice = model::make_node("If", {"taken"}, "y");
  choice.set_attribute("then_branch", branch("x", "a"));
  choice.set_attribute("else_branch", branch("h", "b"));
  model.graph.nodes = {half, choice};
  const auto shapes = shapes_of(model, {{{"x:0", 3}}, {}});
  EXPECT_EQ(shapes.at("h").shape, (Shape{3, 4}));
  EXPECT_EQ(shapes.at("y").shape, (Shape{6, 4})) << "as one run took it";
}

TEST(InferShapes, ABrokenModelIsAnError) {
  model::Model model = model::dense_like();
  model.graph.nodes[0].op_type = "NoSuchOperator";
  const auto runtime = load_runtime(system_env(), {});
  ASSERT_TRUE(runtime.has_value());
  EXPECT_FALSE(infer_shapes(*runtime, system_env(), model, {}).has_value());
}

TEST(RandomInputs, AreTheSameForTheSameSeedOnly) {
  const std::vector<PortInfo> ports = {port("x", DataType::kFloat, {2, 50}),
                                       port("ids", DataType::kInt64, {1, 50}),
                                       port("h", DataType::kFloat16, {8})};
  const auto first = make_random_inputs(ports, {}, 1);
  const auto again = make_random_inputs(ports, {}, 1);
  const auto other = make_random_inputs(ports, {}, 2);
  ASSERT_TRUE(first.has_value() && again.has_value() && other.has_value());
  for (const PortInfo& p : ports) {
    EXPECT_EQ(first->at(p.name).data.as_text(), again->at(p.name).data.as_text()) << p.name;
    EXPECT_NE(first->at(p.name).data.as_text(), other->at(p.name).data.as_text()) << p.name;
  }
}

TEST(RandomInputs, IntegersStayBelowTheirLimits) {
  const std::vector<PortInfo> ports = {port("ids", DataType::kInt64, {1, 400}),
                                       port("one", DataType::kInt64, {1, 20})};
  const auto inputs = make_random_inputs(ports, {{}, {}, {{"ids", 16}, {"one", 1}}}, 1);
  ASSERT_TRUE(inputs.has_value());
  const auto ids = inputs->at("ids").values<int64_t>();
  EXPECT_EQ(*std::max_element(ids.begin(), ids.end()), 15);
  EXPECT_GE(*std::min_element(ids.begin(), ids.end()), 1);
  const auto one = inputs->at("one").values<int64_t>();
  EXPECT_EQ(*std::max_element(one.begin(), one.end()), 0) << "a table of one row has no row 1";
}

TEST(RandomInputs, ArePlausible) {
  const std::vector<PortInfo> ports = {port("x", DataType::kFloat, {-1, 1000}),
                                       port("input_ids", DataType::kInt64, {1, 500}),
                                       port("attention_mask", DataType::kInt64, {6}),
                                       port("token_type_ids", DataType::kInt64, {6}),
                                       port("sr", DataType::kInt64, {}),
                                       port("on", DataType::kBool, {3})};
  const auto inputs = make_random_inputs(ports, {{{"x:0", 3}}, {{"sr", 16000}}}, 9);
  ASSERT_TRUE(inputs.has_value());
  EXPECT_EQ(inputs->at("x").shape, (Shape{3, 1000}));
  const auto floats = list<float>(inputs->at("x"));
  EXPECT_GE(*std::min_element(floats.begin(), floats.end()), -1);
  EXPECT_LE(*std::max_element(floats.begin(), floats.end()), 1);
  EXPECT_GT(std::set<float>(floats.begin(), floats.end()).size(), 2900u);
  for (const int64_t id : list<int64_t>(inputs->at("input_ids"))) {
    EXPECT_GE(id, 1);
    EXPECT_LE(id, 100);
  }
  EXPECT_EQ(list<int64_t>(inputs->at("attention_mask")), std::vector<int64_t>(6, 1));
  EXPECT_EQ(list<int64_t>(inputs->at("token_type_ids")), std::vector<int64_t>(6, 0));
  EXPECT_EQ(list<int64_t>(inputs->at("sr")), std::vector<int64_t>{16000});
  EXPECT_EQ(list<uint8_t>(inputs->at("on")), std::vector<uint8_t>(3, 1));
}

TEST(RandomInputs, TextsAreLeftToTheCaller) {
  const auto inputs = make_random_inputs({port("words", DataType::kString, {2})}, {}, 1);
  ASSERT_FALSE(inputs.has_value());
  EXPECT_EQ(inputs.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(inputs.error().message().find("words"), std::string::npos);
}

}  // namespace
}  // namespace wattwise::engine
