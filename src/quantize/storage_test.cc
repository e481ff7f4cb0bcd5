// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/half.h"
#include "engine/session.h"
#include "measure/metrics.h"
#include "model/graph_edit.h"
#include "model/test_models.h"
#include "model/walk.h"
#include "quantize/fit_int8.h"
#include "quantize/quantize.h"
#include "quantize/quantize_testing.h"
#include "quantize/weights.h"

namespace wattwise::quantize {
namespace {

using fixtures::cosine;
using fixtures::count;
using fixtures::Made;
using fixtures::make;
using fixtures::run;
using model::make_float_constant;
using model::random_floats;

int64_t applied(const Made& made, std::string_view name) {
  for (const AppliedOptimization& item : made.outcome.applied) {
    if (item.name == name) return item.node_count;
  }
  return 0;
}

TEST(FitInt8, LosesNoMoreThanTheLargestWeightsScaleAndKeepsScalesIn16Bits) {
  auto weights = random_floats(32 * 100, 7);
  for (float& weight : weights) weight = weight * weight * weight;  // long tails
  for (const ChannelLayout& layout :
       {ChannelLayout{1, 32, 100}, ChannelLayout{100, 32, 1}, ChannelLayout{4, 8, 100}}) {
    const FittedInt8 fitted = fit_int8(weights, {1, layout});
    EXPECT_GE(fitted.sqnr_db(),
              weight_sqnr_db(weights, quantize_int8(weights, layout), layout) - 0.01);
    EXPECT_NEAR(fitted.sqnr_db(), weight_sqnr_db(weights, fitted.quantized, layout), 1e-3);
    for (const float scale : fitted.quantized.scales) {
      EXPECT_EQ(to_float(to_half(scale)), scale);
    }
  }
}

TEST(ModelEdits, ConstantsShareBytesThatHaveAnOwner) {
  model::Model model = model::dense_like();
  std::vector<Decision> decisions;
  ModelEdits edits(model);
  const Weight weight{&model.graph, "w", model.graph.initializers.front(), {}};
  const Bytes owned = Bytes::own(std::vector<int8_t>(40, 3));
  std::vector<int8_t> looked_at(40, 4);
  const Bytes view = Bytes::view_of(std::span<const int8_t>(looked_at));
  const auto add = [&](std::string_view suffix, const Bytes& bytes) {
    return edits.add_constant(weight, suffix, {DataType::kInt8, {40}, bytes, {}});
  };
  const std::string shared = add("_shared", owned);
  const std::string copied = add("_copied", view);
  edits.apply();
  looked_at[0] = 5;
  const auto data = [&](const std::string& name) {
    for (const auto& constant : model.graph.initializers) {
      if (constant.name == name) return constant.data;
    }
    return Bytes();
  };
  EXPECT_EQ(data(shared).data(), owned.data());
  ASSERT_EQ(data(copied).size(), 40u);
  EXPECT_EQ(data(copied).data()[0], std::byte{4});
}

TEST(FitInt8, CutsOffOneOutlierOfMany) {
  std::vector<float> weights = random_floats(4000, 3);
  weights[17] = 1.3F;
  const FittedInt8 fitted = fit_int8(weights, {1, {1, 1, 4000}});
  EXPECT_LT(fitted.quantized.scales[0], 1.25F / 127);
  EXPECT_EQ(fitted.quantized.values[17], 127);
}

TEST(FitInt8, ScalesTooSmallFor16BitsStayAsTheyAre) {
  EXPECT_EQ(scale_of_16_bits(1e-7F), 1e-7F);
  EXPECT_EQ(scale_of_16_bits(0.1F), to_float(to_half(0.1F)));
  EXPECT_EQ(scale_of_16_bits(1e6F), 1e6F);
  const FittedInt8 zeros = fit_int8(std::vector<float>(8, 0), {1, {1, 2, 4}});
  EXPECT_EQ(zeros.quantized.scales, (std::vector<float>{1, 1}));
  EXPECT_EQ(zeros.noise, 0);
}

TEST(FitInt8, PartsDivideTheLengthEvenly) {
  EXPECT_EQ(parts_of(1536, 128).size, 128u);
  EXPECT_EQ(parts_of(387, 128).size, 129u);
  EXPECT_EQ(parts_of(128, 64).count, 2u);
  EXPECT_EQ(parts_of(128, 128).count, 1u);
  EXPECT_EQ(parts_of(509, 64).count, 1u) << "a prime";
  for (size_t length = 1; length < 600; ++length) {
    for (const size_t size : {32u, 64u, 128u}) {
      const Parts parts = parts_of(length, size);
      EXPECT_EQ(parts.count * parts.size, length);
      if (parts.count > 1) {
        EXPECT_LE(parts.size, size * 3 / 2);
      }
    }
  }
}

TEST(WeightOnly, ArithmeticIsTheUsersChoiceAndTold) {
  const model::Model original = model::text_like();
  QuantizationConfig config;
  const Made integers = make(original, "weight_only", config);
  EXPECT_EQ(count(integers.model, "MatMulNBits"), 2u);
  config.weight_only_arithmetic = "float";
  const Made floats = make(original, "weight_only", config);
  EXPECT_EQ(count(floats.model, "MatMulNBits"), 0u);
  EXPECT_EQ(count(floats.model, "MatMul"), 2u);
  EXPECT_NE(integers.outcome.decisions.back().reason, floats.outcome.decisions.back().reason);
  const TensorMap expected = run(original);
  EXPECT_GT(cosine(expected, run(integers.model)), 0.999);
  EXPECT_GE(cosine(expected, run(floats.model)), cosine(expected, run(integers.model)));
}

TEST(WeightOnly, ColumnsWithOutliersGetSeveralScales) {
  model::Model original = model::dense_like(512, 16);
  const auto precision = [](const Made& made) { return made.outcome.layers.front().precision; };
  EXPECT_EQ(precision(make(original, "weight_only")), "int8 per column");
  std::vector<float> weights = random_floats(512 * 16, 6);
  for (size_t i = 0; i < 32 * 16; ++i) weights[i] *= 20;
  original.graph.initializers[0] = make_float_constant("w", {512, 16}, weights);
  const Made made = make(original, "weight_only");
  EXPECT_EQ(precision(made), "int8 in blocks of 128");
  EXPECT_GT(cosine(run(original), run(made.model)), 0.999);
}

TEST(WeightOnly, AnyDepthOfAMatrixIsPackedRight) {
  for (const int64_t inputs : {20, 64, 100, 128, 130, 256}) {
    const model::Model original = model::dense_like(inputs, 24);
    const Made made = make(original, "weight_only");
    EXPECT_EQ(count(made.model, "MatMulNBits"), 1u);
    EXPECT_EQ(count(made.model, "Concat"), inputs % 64 == 0 ? 0u : 1u) << "filled when loaded";
    EXPECT_GT(cosine(run(original), run(made.model)), 0.999) << inputs;
  }
}

TEST(Weights, WithInfinityStayAsTheyAre) {
  model::Model original = model::dense_like(64, 16);
  std::vector<float> weights = random_floats(64 * 16, 8);
  weights[100] = -std::numeric_limits<float>::infinity();
  original.graph.initializers[0] = make_float_constant("w", {64, 16}, weights);
  for (const char* method : {"weight_only", "dynamic", "int4"}) {
    const Made made = make(original, method);
    EXPECT_EQ(count(made.model, "MatMul"), 1u) << method;
    EXPECT_TRUE(std::any_of(made.outcome.decisions.begin(), made.outcome.decisions.end(),
                            [](const Decision& d) { return d.action == "keep_float"; }))
        << method;
  }
}

TEST(WeightOnly, OldOperatorSetsKeepFloatArithmetic) {
  model::Model original = model::dense_like(64, 16);
  original.opset_imports = {{"", 7}};
  const Made made = make(original, "weight_only");
  EXPECT_EQ(count(made.model, "MatMulNBits"), 0u);
  EXPECT_GT(cosine(run(original), run(made.model)), 0.999);
}

TEST(Vectors, LongOnesAreStoredIn16BitsShortOnesAndDelicateOnesAreNot) {
  const Made made = make(model::dense_like(16, 300), "weight_only");
  EXPECT_EQ(applied(made, "fp16_stored_vectors"), 1);
  EXPECT_EQ(applied(make(model::dense_like(16, 60), "weight_only"), "fp16_stored_vectors"), 0);
  model::Model tiny = model::dense_like(16, 300);  // values that 16 bits keep badly
  std::vector<float> bias = random_floats(300, 7);
  for (float& value : bias) value *= 1e-6F;
  tiny.graph.initializers[1] = make_float_constant("b", {300}, bias);
  EXPECT_EQ(applied(make(tiny, "weight_only"), "fp16_stored_vectors"), 0);
}

TEST(Vectors, ThoseOfANormalizationAreStoredIn16BitsToo) {
  model::Model original = model::dense_like(16, 300);
  model::Value& output = original.graph.outputs[0];
  model::Node node;
  node.op_type = "BatchNormalization";
  node.inputs = {output.name, "gain", "shift", "mean", "variance"};
  node.outputs = {"normalized"};
  original.graph.nodes.push_back(node);
  output.name = "normalized";
  for (const char* name : {"gain", "shift", "mean"}) {
    original.graph.initializers.push_back(make_float_constant(name, {300}, random_floats(300, 5)));
  }
  original.graph.initializers.push_back(
      make_float_constant("variance", {300}, std::vector<float>(300, 0.5F)));
  const Made made = make(original, "weight_only");
  EXPECT_EQ(applied(made, "fp16_stored_vectors"), 4) << "all but the mean, which halves round";
  EXPECT_GT(cosine(run(original), run(made.model)), 0.999);
  auto& variance = original.graph.initializers.back();
  std::vector<float> small(300, 0.5F);
  small[7] = 2e-8F;  // a half holds 0 of it
  variance = make_float_constant("variance", {300}, small);
  auto& mean = original.graph.initializers[original.graph.initializers.size() - 2];
  mean = make_float_constant("mean", {300}, std::vector<float>(300, 0.25F));
  EXPECT_EQ(applied(make(original, "weight_only"), "fp16_stored_vectors"), 4) << "not the variance";
}

TEST(Lstm, DynamicRunsInIntegersInsideBranchesAndKeepsWhatFeedsItIn16Bits) {
  const model::Model original = model::speech_like();
  const Made made = make(original, "dynamic");
  EXPECT_EQ(count(made.model, "DynamicQuantizeLSTM"), 2u);
  EXPECT_EQ(count(made.model, "LSTM"), 0u);
  EXPECT_EQ(applied(made, "dynamic_int8_lstm"), 2);
  EXPECT_EQ(applied(made, "fp16_stored_weights"), 2);
  for (const bool flag : {false, true}) {
    EXPECT_GT(cosine(run(original, flag), run(made.model, flag)), 0.999);
  }
}

TEST(Lstm, GatesObeyThePairRule) {
  const Made made = make(model::speech_like(), "dynamic");
  size_t gates = 0;
  model::for_each_constant(
      made.model.graph, [&](const model::Constant& constant, const model::Node*) {
        if (constant.type != DataType::kInt8 || constant.shape.size() != 3) return;
        ++gates;
        const auto* values = reinterpret_cast<const int8_t*>(constant.data.data());
        EXPECT_EQ(count_unsafe_pairs({values, constant.data.size()},
                                     static_cast<size_t>(constant.shape[1]),
                                     static_cast<size_t>(constant.shape[2])),
                  0);
      });
  EXPECT_EQ(gates, 4u);
}

/// An LSTM that runs both ways; a second one of the same sizes reads what it makes.
model::Model two_way_layers() {
  model::Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 14}};
  model.graph.name = "two_ways";
  model.graph.inputs = {model::make_value("x", DataType::kFloat, {9, 1, 32})};
  model.graph.outputs = {model::make_value("y", DataType::kFloat, {9, 2, 1, 24})};
  uint32_t seed = 1;
  const auto weights = [&](const std::string& name, const std::vector<int64_t>& shape) {
    size_t count = 1;
    for (const int64_t size : shape) count *= static_cast<size_t>(size);
    auto values = random_floats(count, seed++);
    for (float& value : values) value *= 0.5F;
    model.graph.initializers.push_back(make_float_constant(name, shape, values));
  };
  const auto layer = [&](const std::string& input, int64_t width, const std::string& output) {
    weights(output + "w", {2, 96, width});
    weights(output + "r", {2, 96, 24});
    weights(output + "b", {2, 192});
    model::Node node =
        model::make_node("LSTM", {input, output + "w", output + "r", output + "b"}, output);
    node.set_attribute("hidden_size", int64_t{24});
    node.set_attribute("direction", std::string("bidirectional"));
    model.graph.nodes.push_back(node);
  };
  layer("x", 32, "h");
  model::Node transpose = model::make_node("Transpose", {"h"}, "t");
  transpose.set_attribute("perm", std::vector<int64_t>{0, 2, 1, 3});
  model.graph.nodes.push_back(transpose);
  model.graph.initializers.push_back(
      model::make_int64_constant("s", {3}, std::vector<int64_t>{9, 1, 48}));
  model.graph.nodes.push_back(model::make_node("Reshape", {"t", "s"}, "flat"));
  layer("flat", 48, "y");
  return model;
}

TEST(Lstm, DynamicRunsBothWaysInIntegers) {
  const model::Model original = two_way_layers();
  const Made made = make(original, "dynamic");
  EXPECT_EQ(count(made.model, "DynamicQuantizeLSTM"), 2u);
  EXPECT_GT(cosine(run(original), run(made.model)), 0.999);
}

TEST(Lstm, WeightOnlyStoresItsWeightsAndComputesInFloat) {
  const model::Model original = model::speech_like();
  const Made made = make(original, "weight_only");
  EXPECT_EQ(count(made.model, "LSTM"), 2u);
  EXPECT_EQ(applied(made, "int8_stored_weights"), 4);
  for (const bool flag : {false, true}) {
    EXPECT_GT(cosine(run(original, flag), run(made.model, flag)), 0.999);
  }
}

TEST(Lstm, WhatFeedsItIsInt8WhereItHoldsLittleOfTheModel) {
  model::Model original = model::speech_like();
  original.graph.initializers.push_back(
      make_float_constant("big", {64, 8, 7, 7}, random_floats(size_t{64} * 8 * 49, 5)));
  original.graph.inputs.push_back(model::make_value("i", DataType::kFloat, {1, 8, 9, 9}));
  original.graph.outputs.push_back(model::make_value("o", DataType::kFloat, {1, 64, 3, 3}));
  original.graph.nodes.push_back(model::make_node("Conv", {"i", "big"}, "o"));
  EXPECT_EQ(applied(make(original, "dynamic"), "fp16_stored_weights"), 3);
  original.graph.initializers[0] =
      make_float_constant("big", {256, 8, 7, 7}, random_floats(size_t{256} * 8 * 49, 5));
  original.graph.outputs[1] = model::make_value("o", DataType::kFloat, {1, 256, 3, 3});
  EXPECT_EQ(applied(make(original, "dynamic"), "fp16_stored_weights"), 0);
}

TEST(ShortNames, RenameConstantsAndLeaveActivationsAndAnswers) {
  for (const model::Model& original : {model::text_like(), model::speech_like()}) {
    Made made = make(original, "weight_only");
    const TensorMap expected = run(made.model);
    EXPECT_GT(model::shorten_names(made.model), 0);
    ASSERT_TRUE(model::verify(made.model).has_value());
    EXPECT_EQ(cosine(expected, run(made.model)), 1);
    std::vector<std::string> values;
    model::for_each_graph(made.model.graph, [&](const model::Graph& graph, const std::string&) {
      for (const model::Constant& constant : graph.initializers) {
        EXPECT_LE(constant.name.size(), 2u);
        EXPECT_NE(constant.name, "");
      }
      for (const model::Node& node : graph.nodes) {
        EXPECT_TRUE(node.name.empty());
        values.insert(values.end(), node.outputs.begin(), node.outputs.end());
      }
    });
    for (const model::Node& node : original.graph.nodes) {
      if (node.op_type == "Constant") continue;
      EXPECT_NE(std::find(values.begin(), values.end(), node.outputs[0]), values.end());
    }
  }
}

}  // namespace
}  // namespace wattwise::quantize
