// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "model/test_models.h"
#include "optimize/graph_editor.h"
#include "quantize/qdq_testing.h"
#include "quantize/saturation.h"

namespace wattwise::quantize {
namespace {

using fixtures::count;
using fixtures::make_qdq;
using fixtures::sqnr;
using fixtures::Uses;
using model::make_float_constant;
using model::make_node;
using model::random_floats;

std::vector<TensorMap> images() {
  std::vector<TensorMap> samples;
  for (uint32_t seed = 0; seed < 8; ++seed) {
    samples.push_back({{"x", make_float_tensor({1, 3, 32, 48}, random_floats(3 * 32 * 48, seed))}});
  }
  return samples;
}

TEST(Qdq, AnswersAsTheFloatModelDoesTheBetterTheWiderTheType) {
  const model::Model original = fixtures::mobile_like();
  const auto samples = images();
  std::map<std::string, double> kept;
  for (const char* type : {"uint8", "int8", "uint16"}) {
    fixtures::Made made = make_qdq(original, type, samples);
    kept[type] = sqnr(original, made.model, samples[3]);
    ASSERT_FALSE(made.outcome.applied.empty());
    EXPECT_EQ(made.outcome.applied.front().name, "static_qdq_operator");
    EXPECT_EQ(made.outcome.layers.front().precision,
              fmt::format("int8 per channel, {} activations", type));
  }
  EXPECT_GT(kept["uint8"], 20);
  EXPECT_NEAR(kept["int8"], kept["uint8"], 4);
  EXPECT_GT(kept["uint16"], kept["uint8"] + 5);
}

TEST(Qdq, OperatorsStandBetweenDequantizeAndQuantize) {
  fixtures::Made made = make_qdq(fixtures::mobile_like(), "uint8", images());
  const Uses uses(made.model);
  for (const model::Node& node : made.model.graph.nodes) {
    if (node.op_type == "QuantizeLinear" || node.op_type == "DequantizeLinear") continue;
    EXPECT_EQ(uses.makers.at(node.inputs[0])->op_type, "DequantizeLinear") << node.op_type;
    for (const model::Node* reader : uses.readers.at(node.outputs[0])) {
      EXPECT_EQ(reader->op_type, "QuantizeLinear") << node.op_type;
    }
  }
  EXPECT_EQ(count(made.model, "Relu"), 0) << "quantizing clips where they do";
  EXPECT_TRUE(find_saturating_weights(made.model).empty());
}

TEST(Qdq, WhatMovesElementsKeepsTheirScale) {
  fixtures::Made made = make_qdq(fixtures::mobile_like(), "uint16", images());
  const Uses uses(made.model);
  for (const char* op : {"MaxPool", "Reshape"}) {
    const auto& nodes = made.model.graph.nodes;
    const auto node = std::find_if(nodes.begin(), nodes.end(),
                                   [&](const model::Node& n) { return n.op_type == op; });
    ASSERT_NE(node, nodes.end());
    const model::Node* before = uses.makers.at(node->inputs[0]);
    const model::Node* after = uses.readers.at(node->outputs[0]).front();
    EXPECT_EQ(before->inputs[1], after->inputs[1]) << op;
    EXPECT_EQ(before->inputs[2], after->inputs[2]) << op;
  }
}

/// x [2, 12] by Gemm with a transposed matrix, a constant added, and MatMul; then split in two, of
/// which one half goes through Clip.
model::Model dense_chain() {
  model::Model model = fixtures::empty_model(13, "dense");
  model::Graph& graph = model.graph;
  graph.inputs = {model::make_value("x", DataType::kFloat, {2, 12})};
  graph.outputs = {model::make_value("y", DataType::kFloat, {2, 4}),
                   model::make_value("z", DataType::kFloat, {2, 4})};
  graph.initializers = {make_float_constant("w1", {16, 12}, random_floats(192, 1)),
                        make_float_constant("b1", {16}, random_floats(16, 2)),
                        make_float_constant("c", {16}, random_floats(16, 3)),
                        make_float_constant("w2", {16, 8}, random_floats(128, 4)),
                        make_float_constant("low", {}, std::vector<float>{-0.5F}),
                        make_float_constant("high", {}, std::vector<float>{6})};
  model::Node gemm = make_node("Gemm", {"x", "w1", "b1"}, "g");
  gemm.set_attribute("transB", int64_t{1});
  model::Node split = make_node("Split", {"m"}, "y");
  split.outputs = {"y", "half"};
  split.set_attribute("axis", int64_t{1});
  graph.nodes = {gemm, make_node("Add", {"g", "c"}, "a"), make_node("MatMul", {"a", "w2"}, "m"),
                 split, make_node("Clip", {"half", "low", "high"}, "z")};
  return model;
}

std::vector<TensorMap> rows_of_12() {
  std::vector<TensorMap> samples;
  for (uint32_t seed = 0; seed < 6; ++seed) {
    samples.push_back({{"x", make_float_tensor({2, 12}, random_floats(24, seed + 10))}});
  }
  return samples;
}

TEST(Qdq, MatricesAndConstantsAreQuantizedToo) {
  const model::Model original = dense_chain();
  const auto samples = rows_of_12();
  fixtures::Made made = make_qdq(original, "uint8", samples);
  EXPECT_GT(sqnr(original, made.model, samples[0]), 25);
  EXPECT_TRUE(find_saturating_weights(made.model).empty());
  const Uses uses(made.model);
  for (const model::Node& node : made.model.graph.nodes) {
    if (node.op_type == "QuantizeLinear" || node.op_type == "DequantizeLinear") continue;
    const size_t parameters = node.op_type == "Clip" ? 1 : node.inputs.size();
    for (size_t slot = 0; slot < parameters; ++slot) {
      EXPECT_EQ(uses.makers.at(node.inputs[slot])->op_type, "DequantizeLinear") << node.op_type;
    }
  }
  EXPECT_EQ(made.outcome.layers.size(), 2u);
}

TEST(Qdq, OneScaleServesAWholeWeightWhereTheConfigurationSaysSo) {
  QuantizationConfig config;
  config.weight_granularity = "tensor";
  const model::Model original = dense_chain();
  const auto samples = rows_of_12();
  fixtures::Made made = make_qdq(original, "uint16", samples, config);
  EXPECT_EQ(made.outcome.layers.front().precision, "int8 per tensor, uint16 activations");
  EXPECT_GT(sqnr(original, made.model, samples[0]), 25);
  const model::ConstantIndex constants(made.model.graph);
  for (const model::Node& node : made.model.graph.nodes) {
    if (node.op_type != "DequantizeLinear") continue;
    EXPECT_TRUE(constants.find(made.model.graph, node.inputs[1])->shape.empty());
  }
  const model::Model wide = model::dense_like(64, 25);
  const fixtures::Made dynamic = fixtures::make(wide, "dynamic", config);
  ASSERT_EQ(dynamic.outcome.layers.size(), 1u);
  EXPECT_EQ(dynamic.outcome.layers.front().precision, "int8 per tensor, dynamic activations");
  const double kept = dynamic.outcome.layers.front().weight_sqnr_db;
  EXPECT_GT(kept, 30);
  EXPECT_LT(kept, fixtures::make(wide, "dynamic").outcome.layers.front().weight_sqnr_db);
}

TEST(Qdq, WhatTheProviderDoesNotHaveStaysInFloatAndIsTold) {
  model::Model original = dense_chain();
  original.graph.nodes[1] = make_node("Sin", {"g"}, "a");
  const auto samples = rows_of_12();
  fixtures::Made made = make_qdq(original, "uint8", samples);
  EXPECT_GT(sqnr(original, made.model, samples[0]), 20);
  const auto& told = made.outcome.decisions;
  EXPECT_TRUE(std::any_of(told.begin(), told.end(), [](const Decision& decision) {
    return decision.action == "keep_float" && decision.subject == "Sin";
  }));
}

TEST(Qdq, WhatReadsInfinityStaysInFloat) {
  model::Model original = dense_chain();
  std::vector<float> mask(16);
  mask[3] = -std::numeric_limits<float>::infinity();
  original.graph.initializers[2] = make_float_constant("c", {16}, mask);
  original.graph.nodes[1] = make_node("Add", {"g", "c"}, "shown");
  original.graph.nodes.push_back(make_node("Sigmoid", {"shown"}, "s"));
  original.graph.nodes[2] = make_node("MatMul", {"s", "w2"}, "m");
  std::swap(original.graph.nodes[2], original.graph.nodes.back());
  std::rotate(original.graph.nodes.begin() + 3, original.graph.nodes.end() - 1,
              original.graph.nodes.end());
  const auto samples = rows_of_12();
  const fixtures::Made made = make_qdq(original, "uint8", samples);
  EXPECT_GT(sqnr(original, made.model, samples[0]), 20);
  for (const model::Constant& constant : made.model.graph.initializers) {
    for (const float value : optimize::float_values(constant)) {
      EXPECT_TRUE(std::isfinite(value) || constant.name == "c") << constant.name;
    }
  }
}

/// y = Softmax(x W + (1 - mask) * -1e30) V, with the Softmax in the table.
model::Model masked_scores() {
  model::Model model = fixtures::empty_model(13, "masked");
  model::Graph& graph = model.graph;
  graph.inputs = {model::make_value("x", DataType::kFloat, {2, 12}),
                  model::make_value("mask", DataType::kFloat, {1, 16})};
  graph.outputs = {model::make_value("y", DataType::kFloat, {2, 8})};
  graph.initializers = {make_float_constant("w1", {12, 16}, random_floats(192, 1)),
                        make_float_constant("one", {}, std::vector<float>{1}),
                        make_float_constant("far", {}, std::vector<float>{-1e30F}),
                        make_float_constant("w2", {16, 8}, random_floats(128, 4))};
  graph.nodes = {
      make_node("MatMul", {"x", "w1"}, "scores"),   make_node("Sub", {"one", "mask"}, "hidden"),
      make_node("Mul", {"hidden", "far"}, "added"), make_node("Add", {"scores", "added"}, "shown"),
      make_node("Softmax", {"shown"}, "p"),         make_node("MatMul", {"p", "w2"}, "y")};
  return model;
}

TEST(Qdq, MasksHideWhatTheyHideWhateverCalibrationHasSeen) {
  const model::Model original = masked_scores();
  const auto sample = [](size_t hidden, uint32_t seed) {
    std::vector<float> mask(16, 1);
    std::fill_n(mask.begin(), hidden, 0.0F);
    return TensorMap{{"x", make_float_tensor({2, 12}, random_floats(24, seed))},
                     {"mask", make_float_tensor({1, 16}, mask)}};
  };
  for (const size_t seen : {0u, 5u}) {
    std::vector<TensorMap> samples;
    for (uint32_t seed = 0; seed < 16; ++seed) samples.push_back(sample(seen, seed));
    const fixtures::Made made = make_qdq(original, "uint16", samples);
    EXPECT_EQ(made.outcome.layers.size(), 2u);
    EXPECT_GT(sqnr(original, made.model, sample(seen, 3)), 35);
    // Fewer that share the weight get more of it than calibration has seen, which is cut off.
    EXPECT_GT(sqnr(original, made.model, sample(12, 3)), 8) << seen;
  }
}

TEST(Qdq, ValuesOfHalfAsManyBitsStayOutside) {
  model::Model original = dense_chain();
  const auto cast = [](const std::string& from, const std::string& to, DataType type) {
    model::Node node = make_node("Cast", {from}, to);
    node.set_attribute("to", static_cast<int64_t>(type));
    return node;
  };
  auto& nodes = original.graph.nodes;
  nodes[1] = make_node("Relu", {"half_g"}, "half_a");
  nodes.insert(nodes.begin() + 1, cast("g", "half_g", DataType::kFloat16));
  nodes.insert(nodes.begin() + 3, cast("half_a", "a", DataType::kFloat));
  const auto samples = rows_of_12();
  const fixtures::Made made = make_qdq(original, "uint8", samples);
  EXPECT_EQ(made.outcome.layers.size(), 2u);
  EXPECT_GT(sqnr(original, made.model, samples[0]), 20);
}

TEST(Qdq, ReadersOfAWeightShareItsIntegers) {
  model::Model original = dense_chain();
  original.graph.initializers[3] = make_float_constant("w2", {16, 16}, random_floats(256, 4));
  original.graph.nodes[2] = make_node("MatMul", {"a", "w2"}, "m1");
  original.graph.nodes.insert(original.graph.nodes.begin() + 3,
                              make_node("MatMul", {"m1", "w2"}, "m"));
  original.graph.outputs = {model::make_value("y", DataType::kFloat, {2, 8}),
                            model::make_value("z", DataType::kFloat, {2, 8})};
  const fixtures::Made made = make_qdq(original, "uint8", rows_of_12());
  EXPECT_EQ(made.outcome.layers.size(), 3u);
  const auto& constants = made.model.graph.initializers;
  EXPECT_EQ(std::count_if(constants.begin(), constants.end(),
                          [](const model::Constant& constant) {
                            return constant.type == DataType::kInt8 && constant.shape.size() == 2;
                          }),
            2);
}

}  // namespace
}  // namespace wattwise::quantize
