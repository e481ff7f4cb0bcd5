// SPDX-License-Identifier: Apache-2.0
#include "quantize/integer_matmul.h"

#include <gtest/gtest.h>

#include "model/graph_edit.h"
#include "model/test_models.h"
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

model::Model wide_model(int64_t opset) {
  model::Model model = fixtures::empty_model(opset, "products");
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
  model::Model model = wide_model(opset);
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
  model::Model model = wide_model(13);
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

/// By `dynamic`, with 20 samples of x within [-largest, largest] that `shift` is added to.
fixtures::Made quantize_with_samples(const model::Model& original, float largest, float shift) {
  const auto shapes = engine::infer_shapes(engine::runtime_for_tests(), system_env(), original, {});
  EXPECT_TRUE(shapes.has_value());
  const auto sample = [=](uint32_t seed) {
    auto values = random_floats(size_t{kOddRows} * kWide, seed);
    for (float& value : values) value = value * largest + shift;
    return TensorMap{{"x", make_float_tensor({kOddRows, kWide}, values)}};
  };
  const CalibrationData data{
      engine::runtime_for_tests(), system_env(), skip_samples([&sample]() -> SampleReader {
        return [&sample, next = uint32_t{0}]() mutable -> Result<std::optional<TensorMap>> {
          return next < 20 ? std::optional(sample(++next)) : std::nullopt;
        };
      })};
  fixtures::Made made{model::clone(original), {}};
  auto outcome =
      find_method("dynamic").value()->run(made.model, {*shapes, fixtures::kNoProgress, {}, &data});
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

/// The nodes and matrices of a model, reading its x from around, in both branches of an If.
model::Model in_branches(const model::Model& inner) {
  const auto branch = std::make_shared<model::Graph>(inner.graph);
  branch->inputs.clear();
  model::Model model = wide_model(13);
  model.graph.inputs.push_back(make_value("flag", DataType::kBool, {}));
  model.graph.outputs = {make_value("out", DataType::kFloat, {-1, kWide})};
  model::Node choice = make_node("If", {"flag"}, "out");
  choice.set_attribute("then_branch", branch);
  choice.set_attribute("else_branch", std::make_shared<model::Graph>(*branch));
  model.graph.nodes = {choice};
  return model::clone(model);
}

TEST(IntegerProducts, ShareTheirRoundingInInnerGraphsToo) {
  const model::Model original = shared_input(13);
  const auto inner = make(in_branches(original), "dynamic");
  EXPECT_EQ(count(inner.model, "DynamicQuantizeLinear"), 2) << "one in each branch";
  EXPECT_EQ(count(inner.model, "MatMulIntegerToFloat"), 4);
  const auto plain = make(original, "dynamic");
  const TensorMap x = {{"x", make_float_tensor({3, kWide}, random_floats(3 * kWide, 8))}};
  const std::vector<uint8_t> yes = {1};
  TensorMap inputs = x;
  inputs["flag"] = {DataType::kBool, {}, Bytes::copy_of(std::span(yes)), {}};
  const Tensor expected = run(plain.model, x).at("y");
  const Tensor found = run(inner.model, inputs).at("out");
  EXPECT_TRUE(std::ranges::equal(found.values<float>(), expected.values<float>()));
}

TEST(IntegerProducts, TakeInputsWithoutRows) {
  const auto made = make(shared_input(13), "dynamic");
  const TensorMap none = {{"x", make_float_tensor({0, kWide}, std::vector<float>())}};
  EXPECT_EQ(run(made.model, none).at("y").shape, (std::vector<int64_t>{0, kWide}));
}

TEST(IntegerProducts, TakeVectors) {
  model::Model original = shared_input(13);
  original.graph.inputs = {make_value("x", DataType::kFloat, {kWide})};
  original.graph.outputs = {make_value("y", DataType::kFloat, {kWide})};
  EXPECT_GT(fixtures::cosine(original, make(original, "dynamic").model), 0.999);
}

TEST(IntegerProducts, TakeAGeluByATangentWhereNothingElseReadsIt) {
  const model::Model original = gelu_like(false);
  const auto made = quantize_with_samples(original, 1, 0);
  EXPECT_EQ(count(made.model, "FastGelu"), 1);
  EXPECT_EQ(count(made.model, "Erf"), 0);
  for (const model::Constant& constant : made.model.graph.initializers) {
    EXPECT_NE(constant.name, "root") << "a part of the GELU that is gone";
  }
  EXPECT_GT(fixtures::cosine(original, made.model), 0.9995);
  const auto read = quantize_with_samples(gelu_like(true), 1, 0);
  EXPECT_EQ(count(read.model, "FastGelu"), 0);
  EXPECT_EQ(count(read.model, "Erf"), 1);
}

TEST(IntegerProducts, KeepAGeluWhoseResultsAreAsSmallAsTheTangentsError) {
  model::Model original = gelu_like(false);
  for (model::Constant& constant : original.graph.initializers) {
    if (constant.name != "a_matrix") continue;
    std::vector<float> identity(kWide * kWide);
    for (int64_t i = 0; i < kWide; ++i) identity[static_cast<size_t>(i * kWide + i)] = 1;
    constant = make_float_constant("a_matrix", {kWide, kWide}, identity);
  }
  EXPECT_EQ(count(quantize_with_samples(original, 0.5F, -4).model, "FastGelu"), 0);
  EXPECT_EQ(count(quantize_with_samples(original, 2, 0).model, "FastGelu"), 1);
  EXPECT_EQ(count(make(original, "dynamic").model, "FastGelu"), 0) << "nothing shows its results";
}

}  // namespace
}  // namespace wattwise::quantize
