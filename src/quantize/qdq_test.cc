// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "measure/metrics.h"
#include "model/graph_edit.h"
#include "model/test_models.h"
#include "optimize/graph_editor.h"
#include "quantize/quantize_testing.h"
#include "quantize/saturation.h"

namespace wattwise::quantize {
namespace {

using fixtures::calibration;
using fixtures::count;
using fixtures::kNoProgress;
using fixtures::run;
using model::make_float_constant;
using model::make_node;
using model::random_floats;

/// A provider's table with every role and type.
Json accelerator() {
  return Json::parse(R"({
    "id": "accelerator",
    "activations": [{"type": "uint8", "form": "qdq"}, {"type": "int8", "form": "qdq"},
                    {"type": "uint16", "form": "qdq"}],
    "operators": {"Conv": "weights", "MatMul": "weights", "Gemm": "weights", "Add": "operands",
                  "Mul": "operands", "Concat": "operands", "Relu": "value", "Clip": "value",
                  "Sigmoid": "value", "HardSigmoid": "value", "GlobalAveragePool": "value",
                  "MaxPool": "move", "Reshape": "move", "Split": "move"}})");
}

ActivationForm accelerated(std::string_view type) {
  auto provider = read_provider_operators(accelerator());
  EXPECT_TRUE(provider.has_value()) << provider.error().to_string();
  auto form = choose_activations(std::move(*provider), type);
  EXPECT_TRUE(form.has_value()) << form.error().to_string();
  return *form;
}

fixtures::Made make_qdq(const model::Model& original, std::string_view type,
                        const std::vector<TensorMap>& samples,
                        const QuantizationConfig& config = {}) {
  fixtures::Made made{model::clone(original), {}};
  const auto shapes = engine::infer_shapes(engine::runtime_for_tests(), system_env(), made.model,
                                           {{{"x:3", 48}}, {}});
  EXPECT_TRUE(shapes.has_value()) << shapes.error().to_string();
  const auto data = calibration(samples);
  MethodContext context{*shapes, kNoProgress, config, &data};
  context.activations = accelerated(type);
  auto outcome = (*find_method("static"))->run(made.model, context);
  EXPECT_TRUE(outcome.has_value()) << outcome.error().to_string();
  EXPECT_TRUE(model::verify(made.model).has_value());
  made.outcome = *outcome;
  return made;
}

std::vector<TensorMap> images() {
  std::vector<TensorMap> samples;
  for (uint32_t seed = 0; seed < 8; ++seed) {
    samples.push_back({{"x", make_float_tensor({1, 3, 32, 48}, random_floats(3 * 32 * 48, seed))}});
  }
  return samples;
}

/// Values -> who makes them, and -> who reads them.
struct Uses {
  std::map<std::string, const model::Node*> makers;
  std::map<std::string, std::vector<const model::Node*>> readers;
  explicit Uses(const model::Model& model) {
    for (const model::Node& node : model.graph.nodes) {
      for (const std::string& output : node.outputs) makers[output] = &node;
      for (const std::string& input : node.inputs) readers[input].push_back(&node);
    }
  }
};

/// Of the models' first outputs.
double sqnr(const model::Model& original, const model::Model& made, const TensorMap& inputs) {
  const TensorMap expected = run(original, inputs);
  const TensorMap actual = run(made, inputs);
  return measure::sqnr_db(expected.begin()->second.values<float>(),
                          actual.begin()->second.values<float>());
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
  model::Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 13}};
  model::Graph& graph = model.graph;
  graph.name = "dense";
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
  const fixtures::Made dynamic = fixtures::make(original, "dynamic", config);
  EXPECT_GT(sqnr(original, dynamic.model, samples[0]), 20);
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

TEST(ProviderOperators, ATypeThatTheProviderLacksIsRefusedWithThoseThatItHas) {
  EXPECT_EQ(accelerated("auto").activations->type->name, "uint8");
  EXPECT_EQ(accelerated("auto").next()->activations->type->name, "int8");
  EXPECT_FALSE(accelerated("uint8").next().has_value()) << "it was asked for";
  Json row = accelerator();
  row["activations"] = Json::parse(R"([{"type": "uint8", "form": "bytes"}])");
  const auto refused = choose_activations(*read_provider_operators(row), "uint16");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(refused.error().message().find("accelerator computes in uint8 only"),
            std::string::npos);
}

TEST(ProviderOperators, DamagedTablesSayWhatIsWrong) {
  const auto message = [](const char* key, const char* value) {
    Json row = accelerator();
    row[key] = Json::parse(value);
    const auto read = read_provider_operators(row);
    return read ? std::string("accepted") : read.error().message();
  };
  EXPECT_NE(message("activations", "[]").find("no list"), std::string::npos);
  EXPECT_NE(message("activations", R"([{"type": "int3", "form": "qdq"}])").find("int3"),
            std::string::npos);
  EXPECT_NE(message("activations", R"([{"type": "int8", "form": "bytes"}])").find("bytes"),
            std::string::npos);
  EXPECT_NE(message("operators", R"({"Conv": "wieghts"})").find("wieghts"), std::string::npos);
  EXPECT_NE(message("operators", R"([1])").find("operators"), std::string::npos);
}

}  // namespace
}  // namespace wattwise::quantize
