// SPDX-License-Identifier: Apache-2.0
#include "quantize/qdq_forms.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "model/test_models.h"
#include "quantize/qdq_testing.h"

namespace wattwise::quantize {
namespace {

using fixtures::count;
using fixtures::Made;
using fixtures::make_qdq;
using fixtures::sqnr;
using fixtures::Uses;
using model::make_float_constant;
using model::make_node;
using model::random_floats;

/// y = op(x + 0.1, constants...), with x of this shape.
model::Model one_operator(const std::string& op, const std::vector<int64_t>& shape,
                          std::vector<model::Constant> constants) {
  model::Model model = fixtures::empty_model(17, "one");
  model::Graph& graph = model.graph;
  graph.inputs = {model::make_value("x", DataType::kFloat, shape)};
  graph.outputs = {model::make_value("y", DataType::kFloat, {})};
  graph.outputs[0].shape.reset();
  std::vector<std::string> inputs = {"a"};
  for (const model::Constant& constant : constants) {
    inputs.push_back(constant.element_count() == 0 ? "" : constant.name);
  }
  std::erase_if(constants, [](const model::Constant& c) { return c.element_count() == 0; });
  graph.initializers = std::move(constants);
  graph.initializers.push_back(make_float_constant("c", {}, std::vector<float>{0.1F}));
  graph.nodes = {make_node(op, inputs, "y"), make_node("Add", {"x", "c"}, "a")};
  std::swap(graph.nodes[0], graph.nodes[1]);
  return model;
}

model::Constant numbers(const std::string& name, std::vector<int64_t> shape, uint32_t seed) {
  int64_t size = 1;
  for (const int64_t axis : shape) size *= axis;
  return make_float_constant(name, std::move(shape),
                             random_floats(static_cast<size_t>(size), seed));
}

model::Constant integers_of(const std::string& name, const std::vector<int64_t>& values) {
  return model::make_int64_constant(name, {static_cast<int64_t>(values.size())}, values);
}

/// An input that is left out.
model::Constant nothing() { return make_float_constant("", {0}, std::vector<float>()); }

std::vector<TensorMap> samples_of(const model::Model& model) {
  std::vector<int64_t> shape;
  int64_t size = 1;
  for (const auto& axis : *model.graph.inputs[0].shape) {
    shape.push_back(*axis.value);
    size *= *axis.value;
  }
  std::vector<TensorMap> samples;
  for (uint32_t seed = 0; seed < 6; ++seed) {
    samples.push_back(
        {{"x", make_float_tensor(shape, random_floats(static_cast<size_t>(size), seed + 40))}});
  }
  return samples;
}

/// The model quantized, and its SQNR.
struct Kept {
  Made made;
  double sqnr_db;
};

Kept keep(const model::Model& original, std::string_view type) {
  const auto samples = samples_of(original);
  Made made = make_qdq(original, type, samples);
  const double kept = sqnr(original, made.model, samples[2]);
  return {std::move(made), kept};
}

bool is_quantized(const model::Model& original) {
  Kept kept = keep(original, "uint8");
  const Uses uses(kept.made.model);
  return uses.makers.contains(kept.made.model.graph.outputs[0].name) &&
         uses.makers.at(kept.made.model.graph.outputs[0].name)->op_type == "DequantizeLinear";
}

const model::Node& only(const model::Model& model, std::string_view op) {
  const auto& nodes = model.graph.nodes;
  return *std::find_if(nodes.begin(), nodes.end(),
                       [&](const model::Node& node) { return node.op_type == op; });
}

model::Model transposed_convolution(int64_t group) {
  model::Model model = one_operator("ConvTranspose", {1, 8, 5, 7},
                                    {numbers("w", {8, 6 / group, 3, 3}, 1), numbers("b", {6}, 2)});
  model.graph.nodes[1].set_attribute("strides", std::vector<int64_t>{2, 2});
  model.graph.nodes[1].set_attribute("group", group);
  return model;
}

TEST(QdqForms, TransposedConvolutionsHaveAScaleForEachOutput) {
  for (const auto& [type, least] : {std::pair{"uint8", 33}, {"int8", 33}, {"uint16", 40}}) {
    Kept kept = keep(transposed_convolution(1), type);
    EXPECT_GT(kept.sqnr_db, least) << type;
    model::Model& made = kept.made.model;
    const Uses uses(made);
    const model::ConstantIndex constants(made.graph);
    const model::Node& node = only(made, "ConvTranspose");
    const model::Node* weights = uses.makers.at(node.inputs[1]);
    EXPECT_EQ(weights->int_or("axis", -1), 1);
    EXPECT_EQ(constants.find(made.graph, weights->inputs[0])->shape,
              (std::vector<int64_t>{8, 6, 3, 3}));
    EXPECT_EQ(constants.find(made.graph, weights->inputs[1])->shape, std::vector<int64_t>{6});
    const model::Node* bias = uses.makers.at(node.inputs[2]);
    EXPECT_EQ(constants.find(made.graph, bias->inputs[0])->type, DataType::kInt32);
    ASSERT_EQ(kept.made.outcome.layers.size(), 1u);
    EXPECT_GT(kept.made.outcome.layers[0].weight_sqnr_db, 38);
  }
  EXPECT_FALSE(is_quantized(transposed_convolution(2))) << "scales would stand for two channels";
  model::Model dilated = transposed_convolution(1);
  dilated.graph.nodes[1].set_attribute("dilations", std::vector<int64_t>{2, 2});
  EXPECT_FALSE(is_quantized(dilated));
}

model::Model normalization(int64_t axis) {
  model::Model model = one_operator("LayerNormalization", {2, 5, 16},
                                    {numbers("scale", {16}, 3), numbers("bias", {16}, 4)});
  model.graph.nodes[1].set_attribute("axis", axis);
  return model;
}

TEST(QdqForms, NormalizationsHaveAScaleOf8BitsAndABiasOf32) {
  for (const auto& [type, least, narrow] : {std::tuple{"uint8", 30, DataType::kUint8},
                                            {"int8", 30, DataType::kInt8},
                                            {"uint16", 38, DataType::kUint8}}) {
    Kept kept = keep(normalization(-1), type);
    EXPECT_GT(kept.sqnr_db, least) << type;
    model::Model& made = kept.made.model;
    const Uses uses(made);
    const model::ConstantIndex constants(made.graph);
    const model::Node& node = only(made, "LayerNormalization");
    const auto stored = [&](size_t slot) {
      return constants.find(made.graph, uses.makers.at(node.inputs[slot])->inputs[0])->type;
    };
    EXPECT_EQ(stored(1), narrow);
    EXPECT_EQ(stored(2), DataType::kInt32);
  }
  EXPECT_TRUE(is_quantized(normalization(2)));
  model::Model first = normalization(1);
  first.graph.initializers = {first.graph.initializers.back(), numbers("scale", {5, 16}, 3),
                              numbers("bias", {5, 16}, 4)};
  EXPECT_FALSE(is_quantized(first)) << "over two axes";
}

model::Model power(float exponent) {
  return one_operator("Pow", {2, 3, 8},
                      {make_float_constant("e", {}, std::vector<float>{exponent})});
}

TEST(QdqForms, ExponentsStayWhatTheyAre) {
  for (const float exponent : {2.0F, 3.0F}) {
    for (const auto& [type, least] : {std::pair{"uint8", 30}, {"int8", 30}, {"uint16", 60}}) {
      Kept kept = keep(power(exponent), type);
      EXPECT_GT(kept.sqnr_db, least) << type << " of negative numbers, too";
      model::Model& made = kept.made.model;
      const model::ConstantIndex constants(made.graph);
      const model::Node* read = Uses(made).makers.at(only(made, "Pow").inputs[1]);
      EXPECT_EQ(optimize::scalar_value(constants.find(made.graph, read->inputs[1])), exponent);
    }
  }
  model::Model vector = power(2);
  vector.graph.initializers = {
      vector.graph.initializers.back(),
      make_float_constant("e", {8}, std::vector<float>{1, 2, 3, 1, 2, 3, 1, 2})};
  EXPECT_FALSE(is_quantized(vector));
  EXPECT_FALSE(is_quantized(power(-2))) << "of what is rounded to 0";
}

TEST(QdqForms, SlopesAreOperandsUnlessTheTypeLacksThem) {
  const model::Model original =
      one_operator("PRelu", {1, 3, 5, 6}, {numbers("slope", {3, 1, 1}, 5)});
  for (const char* type : {"uint8", "int8"}) {
    Kept kept = keep(original, type);
    EXPECT_GT(kept.sqnr_db, 35);
    model::Model& made = kept.made.model;
    EXPECT_EQ(Uses(made).makers.at(only(made, "PRelu").inputs[1])->op_type, "DequantizeLinear");
  }
  const auto samples = samples_of(original);
  const Made made = make_qdq(original, "uint16", samples);
  EXPECT_EQ(Uses(made.model).makers.at("y")->op_type, "PRelu");
  const auto& told = made.outcome.decisions;
  EXPECT_TRUE(std::any_of(told.begin(), told.end(), [](const Decision& decision) {
    return decision.action == "keep_float" && decision.subject == "PRelu";
  }));
}

model::Model picked() { return one_operator("Gather", {4, 6}, {integers_of("i", {2, 0, -1})}); }

model::Model padded(const std::string& mode, model::Constant value = nothing()) {
  model::Model model =
      one_operator("Pad", {1, 3, 5, 6}, {integers_of("p", {0, 0, 1, 2, 0, 0, 2, 1}), value});
  model.graph.nodes[1].set_attribute("mode", mode);
  return model;
}

struct Resizing {
  std::string mode = "linear";
  std::string place = "half_pixel";
  std::string nearest = "round_prefer_floor";
  float scale = 2;
};

model::Model resized(const Resizing& how) {
  model::Model model = one_operator(
      "Resize", {1, 3, 6, 8},
      {nothing(), make_float_constant("s", {4}, std::vector<float>{1, 1, how.scale, how.scale})});
  model::Node& node = model.graph.nodes[1];
  node.set_attribute("mode", how.mode);
  node.set_attribute("coordinate_transformation_mode", how.place);
  node.set_attribute("nearest_mode", how.nearest);
  return model;
}

/// Whether the operator gives its result the scale that it reads, and reads the rest as it stands.
void expect_movement(const model::Model& original, std::string_view type, double least) {
  const std::string op = original.graph.nodes[1].op_type;
  Kept kept = keep(original, type);
  EXPECT_GT(kept.sqnr_db, least) << op << " " << type;
  model::Model& made = kept.made.model;
  const Uses uses(made);
  const model::Node& node = only(made, op);
  const model::Node* before = uses.makers.at(node.inputs[0]);
  const model::Node* after = uses.readers.at(node.outputs[0]).front();
  ASSERT_EQ(after->op_type, "QuantizeLinear") << op;
  EXPECT_EQ(before->inputs[1], after->inputs[1]) << op;
  EXPECT_EQ(before->inputs[2], after->inputs[2]) << op;
  const model::ConstantIndex constants(made.graph);
  for (size_t slot = 1; slot < node.inputs.size(); ++slot) {
    EXPECT_TRUE(node.inputs[slot].empty() || constants.find(made.graph, node.inputs[slot]));
  }
}

TEST(QdqForms, WhatMovesElementsKeepsTheScaleAndReadsItsParametersAsTheyAre) {
  const auto zero = make_float_constant("v", {}, std::vector<float>{0});
  for (const auto& [type, least] : {std::pair{"uint8", 40}, {"uint16", 80}}) {
    expect_movement(picked(), type, least);
    expect_movement(padded("constant"), type, least);
    expect_movement(padded("constant", zero), type, least);
    expect_movement(padded("reflect"), type, least);
    expect_movement(padded("edge"), type, least);
    expect_movement(resized({}), type, least);
    expect_movement(resized({"nearest"}), type, least);
    expect_movement(resized({"nearest", "asymmetric", "floor"}), type, least);
  }
}

TEST(QdqForms, IndicesMayChangeAndTablesStay) {
  model::Model original = picked();
  original.graph.initializers.erase(original.graph.initializers.begin());
  original.graph.inputs.push_back(model::make_value("i", DataType::kInt64, {3}));
  const TensorMap sample = {
      {"x", make_float_tensor({4, 6}, random_floats(24, 8))},
      {"i", Tensor{DataType::kInt64,
                   {3},
                   Bytes::copy_of(std::span<const int64_t>(std::vector<int64_t>{3, 0, 1})),
                   {}}}};
  const Made made = make_qdq(original, "uint8", {sample});
  EXPECT_EQ(only(made.model, "Gather").inputs[1], "i");
  EXPECT_EQ(count(made.model, "QuantizeLinear"), 3);
  EXPECT_GT(sqnr(original, made.model, sample), 35);
}

TEST(QdqForms, WhatIsReadInManyWaysStaysInFloat) {
  const auto five = make_float_constant("v", {}, std::vector<float>{5});
  EXPECT_FALSE(is_quantized(padded("constant", five))) << "no step holds it";
  const std::vector<Resizing> ways = {{"cubic"},
                                      {"linear", "half_pixel", "floor", 1.5F},
                                      {"nearest", "asymmetric"},
                                      {"nearest", "half_pixel", "floor"},
                                      {"nearest", "half_pixel", "round_prefer_floor", 0.5F}};
  for (const Resizing& how : ways) {
    EXPECT_FALSE(is_quantized(resized(how))) << how.mode << " " << how.place;
  }
  EXPECT_TRUE(is_quantized(resized({"linear", "half_pixel", "round_prefer_floor", 0.5F})));
}

}  // namespace
}  // namespace wattwise::quantize
