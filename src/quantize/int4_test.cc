// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "engine/session.h"
#include "measure/metrics.h"
#include "model/graph_edit.h"
#include "model/test_models.h"
#include "model/walk.h"
#include "quantize/cut_zeros.h"
#include "quantize/int4_rows.h"
#include "quantize/quantize_testing.h"
#include "quantize/rounding_grids.h"
#include "quantize/saturation.h"
#include "quantize/store_half.h"
#include "quantize/store_int4.h"

namespace wattwise::quantize {
namespace {

using fixtures::cosine;
using fixtures::count;
using fixtures::Made;
using fixtures::make;
using model::make_float_constant;
using model::random_floats;

Made make_int4(const model::Model& original, const std::string& arithmetic,
               const std::string& objective = "energy") {
  QuantizationConfig config;
  config.int4_arithmetic = arithmetic;
  config.objective = objective;
  return make(original, "int4", config);
}

Made make_blocks(const model::Model& original, const std::string& arithmetic,
                 const std::string& block_size, bool is_symmetric) {
  QuantizationConfig config;
  config.int4_arithmetic = arithmetic;
  config.int4_block_size = block_size;
  config.int4_symmetric = is_symmetric;
  return make(original, "int4", config);
}

const model::Node& find_node(const model::Model& model, std::string_view op) {
  const auto& nodes = model.graph.nodes;
  return *std::find_if(nodes.begin(), nodes.end(),
                       [&](const model::Node& node) { return node.op_type == op; });
}

/// Conv with weights of this shape over 6 x 6 values.
model::Model float_convolution(const std::vector<int64_t>& shape,
                               const std::vector<float>& weights) {
  model::Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 14}};
  model.graph.name = "convolution";
  model.graph.inputs = {model::make_value("x", DataType::kFloat, {1, shape[1], 6, 6})};
  model.graph.outputs = {
      model::make_value("y", DataType::kFloat, {1, shape[0], 7 - shape[2], 7 - shape[3]})};
  model.graph.initializers = {make_float_constant("w", shape, weights)};
  model.graph.nodes = {model::make_node("Conv", {"x", "w"}, "y")};
  return model;
}

TEST(Int4Columns, AreProductsOfSmallIntegersWithinThePairLimit) {
  for (const size_t rows : {16u, 96u, 100u}) {
    auto weights = random_floats(rows * 70, 5);
    for (size_t i = 0; i < weights.size(); i += 7) weights[i] *= 3;
    const Int4Columns fitted = fit_int4_columns(weights, {70, int4_column_block(rows)});
    const auto values = round_to_nearest(weights, fitted.grid);
    std::vector<int8_t> unpacked(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      const size_t group = i / 70 / fitted.grid.rows_per_group * 70 + i % 70;
      ASSERT_GE(fitted.factors[group], 1);
      ASSERT_LE(fitted.factors[group], 15);
      ASSERT_LE(std::abs(values[i] * 2 + 1), 15) << "4 bits";
      unpacked[i] = static_cast<int8_t>(values[i] * fitted.factors[group]);
      EXPECT_EQ(fitted.grid.steps[group], fitted.scales[i % 70] * fitted.factors[group]);
    }
    EXPECT_EQ(count_unsafe_pairs(unpacked, rows, 70), 0);
    EXPECT_GT(weight_sqnr_db(weights, values, fitted.grid), 18);
  }
}

TEST(Int4Columns, ImportantRowsErrLess) {
  const size_t rows = 64;
  std::vector<float> weights = random_floats(rows * 20, 8);
  for (float& weight : weights) weight = weight * weight * weight;
  std::vector<float> importance(rows, 1e-3F);
  for (size_t row = 0; row < rows; row += 8) importance[row] = 100;
  const auto error = [&](const Int4Columns& fitted) {
    const auto values = round_to_nearest(weights, fitted.grid);
    double sum = 0;
    for (size_t i = 0; i < weights.size(); ++i) {
      const size_t group = i / 20 / fitted.grid.rows_per_group * 20 + i % 20;
      sum += importance[i / 20] * std::pow(weights[i] - fitted.grid.steps[group] * values[i], 2);
    }
    return sum;
  };
  EXPECT_LT(error(fit_int4_columns(weights, {20, 16}, importance)),
            0.9 * error(fit_int4_columns(weights, {20, 16})));
}

TEST(Int4Columns, BlocksDivideTheRowsAndHoldWholePairs) {
  EXPECT_EQ(int4_column_block(384), 16u);
  EXPECT_EQ(int4_column_block(100), 20u);
  EXPECT_EQ(int4_column_block(63), 0u);
  for (size_t rows = 1; rows < 300; ++rows) {
    const size_t block = int4_column_block(rows);
    if (block == 0) continue;
    EXPECT_EQ(rows % block, 0u);
    EXPECT_EQ(block % 2, 0u);
  }
}

TEST(Int4Rows, KeepWeightsWithinAStepAndEqualOnesExactly) {
  std::vector<float> weights = random_floats(10 * 64, 4);
  std::fill_n(weights.begin(), 32, 0.0F);
  const Int4Rows fitted = fit_int4_rows(weights, 64, 32);
  EXPECT_GT(decibels(fitted.signal, fitted.noise), 20);
  for (size_t i = 0; i < weights.size(); ++i) {
    const size_t block = i / 32;
    const float step = fitted.scales[i / 64] * fitted.factors[block];
    const float value = step * static_cast<float>(fitted.values[i] - fitted.zeros[block]);
    EXPECT_NEAR(value, weights[i], 2 * step);
    if (i < 32) {
      EXPECT_EQ(value, 0);
    }
  }
}

/// As channels are that training has let go of.
std::vector<float> tiny_weights(size_t count) {
  std::vector<float> weights = random_floats(count, 4);
  for (float& w : weights) w *= 1e-37F;
  return weights;
}

TEST(Int4Rows, WithoutNormalStepsAreZero) {
  std::vector<float> weights = random_floats(64, 3);
  const std::vector<float> tiny = tiny_weights(64);
  weights.insert(weights.end(), tiny.begin(), tiny.end());
  const Int4Rows fitted = fit_int4_rows(weights, 64, 32);
  EXPECT_LT(fitted.noise, fitted.signal / 100) << "and no NaN";
  for (size_t i = 64; i < 128; ++i) EXPECT_EQ(fitted.values[i], fitted.zeros[i / 32]) << i;
  EXPECT_GT(fitted.scales[1], 1e-30F);
}

TEST(Int4Columns, WithoutNormalStepsAreZero) {
  const std::vector<float> weights = tiny_weights(64);
  const Int4Grid fitted = int4_grid(weights, 64, 1, {32, false});
  const std::vector<int8_t> values = round_to_nearest(weights, fitted.grid);
  EXPECT_EQ(values, std::vector<int8_t>(64, 0));
  EXPECT_GT(fitted.column_scales[0], 1e-30F);
}

TEST(Int4, BothArithmeticsAnswerAlikeAtAnyDepthOfAMatrix) {
  for (const int64_t inputs : {16, 20, 63, 64, 100, 176}) {
    const model::Model original = model::dense_like(inputs, 25);
    const Made integers = make_int4(original, "integer");
    const Made floats = make_int4(original, "float");
    const size_t unpacked = inputs == 63 ? 0 : 1;
    EXPECT_EQ(count(integers.model, "DynamicQuantizeMatMul"), unpacked) << inputs;
    EXPECT_EQ(count(integers.model, "MatMulNBits"), 1 - unpacked);
    EXPECT_EQ(count(floats.model, "MatMulNBits"), 1u);
    EXPECT_GT(cosine(original, integers.model), 0.98) << inputs;
    EXPECT_GT(cosine(original, floats.model), 0.98) << inputs;
  }
}

TEST(Int4, BlocksAreAsLargeAsTheConfigurationSays) {
  for (const int64_t inputs : {63, 256, 300}) {
    const model::Model original = model::dense_like(inputs, 25);
    for (const char* size : {"16", "32", "64", "128", "256"}) {
      for (const bool is_symmetric : {false, true}) {
        const Made packed = make_blocks(original, "float", size, is_symmetric);
        const model::Node& product = find_node(packed.model, "MatMulNBits");
        EXPECT_EQ(product.int_or("block_size", 0), std::stoll(size));
        EXPECT_EQ(product.inputs.size(), is_symmetric ? 3u : 4u) << "zero points";
        EXPECT_GT(cosine(original, packed.model), 0.97) << inputs << " " << size;
        const Made spelled = make_blocks(original, "dequantize", size, is_symmetric);
        EXPECT_EQ(find_node(spelled.model, "DequantizeLinear").int_or("block_size", 0),
                  std::stoll(size));
        EXPECT_EQ(spelled.outcome.layers.front().weight_sqnr_db,
                  packed.outcome.layers.front().weight_sqnr_db);
        EXPECT_GT(cosine(packed.model, spelled.model), 0.999) << inputs << " " << size;
      }
    }
  }
  const Made unpacked = make_blocks(model::dense_like(256, 25), "integer", "64", false);
  EXPECT_EQ(unpacked.outcome.layers.front().precision, "int4 block 64, dynamic activations");
  const Made odd = make_blocks(model::dense_like(100, 25), "integer", "64", false);
  EXPECT_EQ(odd.outcome.layers.front().precision, "int4 block 20, dynamic activations");
}

TEST(Int4, DequantizeUsesOperatorsOfOnnxAlone) {
  const model::Model original = model::text_like();
  const Made made = make_int4(original, "dequantize");
  EXPECT_GT(count(made.model, "DequantizeLinear"), 0);
  EXPECT_EQ(made.model.opset(""), 21);
  EXPECT_EQ(made.model.opset("com.microsoft"), 0);
  for (const model::Node& node : made.model.graph.nodes) {
    EXPECT_TRUE(node.is_standard()) << node.op_type;
  }
  EXPECT_GT(cosine(original, made.model), 0.98);
  const model::Model seen = fixtures::optimized(made.model);
  EXPECT_EQ(count(seen, "DequantizeLinear"), 0) << "ONNX Runtime fuses it";
  EXPECT_GT(count(seen, "MatMulNBits"), 0);
}

TEST(Int4, DequantizeIsRefusedWhereTheOperatorSetMayNotBeRaised) {
  model::Model model = model::dense_like(64, 25);
  const model::ShapeTable no_shapes;
  const Progress no_progress;
  QuantizationConfig config;
  config.int4_arithmetic = "dequantize";
  MethodContext context{no_shapes, no_progress, config};
  context.opset = 17;
  const auto outcome = (*find_method("int4"))->run(model, context);
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code(), ErrorCode::kUnsupported);
}

TEST(Int4, SymmetricBlocksKeepTheirLargestWeights) {
  std::vector<float> weights = random_floats(size_t{64} * 3, 7);
  weights[0] = -40;  // 8 steps below zero, 7 above
  weights[1] = 35;
  const Int4Grid fitted = int4_grid(weights, 64, 3, {32, true});
  const std::vector<int8_t> values = round_to_nearest(weights, fitted.grid);
  EXPECT_EQ(values[0], -8);
  EXPECT_EQ(values[1], 7);
  for (size_t i = 0; i < fitted.grid.low.size(); ++i) {
    EXPECT_EQ(fitted.grid.low[i], -8);
    EXPECT_EQ(fitted.grid.high[i], 7);
  }
  EXPECT_NEAR(fitted.grid.steps[0] * 8, 40, 0.5);
}

TEST(Int4, TheFastArithmeticIsChosenUnlessSizeIsWanted) {
  const model::Model original = model::dense_like(64, 25);
  const auto told = [](const Made& made) { return made.outcome.decisions.back(); };
  const Made fast = make_int4(original, "auto");
  EXPECT_EQ(count(fast.model, "DynamicQuantizeMatMul"), 1u);
  EXPECT_EQ(told(fast).action, "compute");
  const Made small = make_int4(original, "auto", "size");
  EXPECT_EQ(count(small.model, "MatMulNBits"), 1u);
  EXPECT_NE(told(small).reason, told(fast).reason);
  EXPECT_EQ(count(make_int4(original, "integer", "size").model, "DynamicQuantizeMatMul"), 1u);
}

TEST(Int4, OldOperatorSetsThatCannotBeRaisedKeepTheirMatricesPacked) {
  model::Model original = model::dense_like(64, 25);
  original.opset_imports = {{"", 6}};
  const Made made = make_int4(original, "integer");
  EXPECT_EQ(count(made.model, "MatMulNBits"), 1u);
  EXPECT_EQ(count(made.model, "BitShift"), 0u);
  EXPECT_NE(made.outcome.decisions.back().reason.find("newer operator set"), std::string::npos);
}

TEST(Int4, BlocksOfZerosLeaveTheOthersTheirSteps) {
  model::Model original = model::dense_like(96, 25);
  auto weights = random_floats(size_t{96} * 25, 6);
  for (float& weight : weights) weight *= 0.01F;
  std::fill_n(weights.begin(), size_t{64} * 25, 0.0F);
  original.graph.initializers[0] = make_float_constant("w", {96, 25}, weights);
  for (const char* arithmetic : {"integer", "float"}) {
    EXPECT_GT(make_int4(original, arithmetic).outcome.layers.front().weight_sqnr_db, 18)
        << arithmetic;
  }
}

TEST(Int4, UnpackedWeightsAreCheckedForSaturation) {
  Made made = make_int4(model::dense_like(96, 24), "integer");
  EXPECT_TRUE(find_saturating_weights(made.model).empty());
  for (model::Constant& constant : made.model.graph.initializers) {
    if (!constant.name.ends_with("_factors")) continue;
    std::vector<uint8_t> factors(constant.data.size(), 0xff);  // 15 and 15
    constant.data = Bytes::copy_of(std::span<const uint8_t>(factors));
  }
  const auto found = find_saturating_weights(made.model);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_GT(found[0].pairs, 0);
}

TEST(Int4, LargeTablesTakeFourBitsSmallOnesEight) {
  model::Model original = model::text_like();
  const Made made = make_int4(original, "auto");
  EXPECT_EQ(count(made.model, "GatherBlockQuantized"), 1u);
  EXPECT_GT(cosine(original, made.model), 0.98);
  original.graph.initializers[0] = make_float_constant("table", {8, 64}, random_floats(8 * 64, 1));
  const Made small = make_int4(original, "auto");
  EXPECT_EQ(count(small.model, "GatherBlockQuantized"), 1u) << "an eighth of the weights";
  original.graph.initializers[1] =
      make_float_constant("w1", {64, 480}, random_floats(size_t{64} * 480, 2));
  original.graph.nodes[0].set_attribute(
      "value", std::make_shared<model::Constant>(
                   make_float_constant("", {480, 32}, random_floats(size_t{480} * 32, 3))));
  EXPECT_EQ(count(make_int4(original, "auto").model, "GatherBlockQuantized"), 0u);
}

TEST(Int4, LargeConvolutionsAreStoredIn4BitsAndComputeInFloat) {
  const model::Model original =
      float_convolution({64, 32, 3, 3}, random_floats(size_t{64} * 32 * 9, 6));
  const Made made = make_int4(original, "auto");
  EXPECT_EQ(made.outcome.layers.front().precision, "int4 block 16, stored only");
  EXPECT_GT(cosine(original, made.model), 0.98);
  const Made odd =
      make_int4(float_convolution({64, 31, 3, 3}, random_floats(size_t{64} * 31 * 9, 6)), "auto");
  EXPECT_NE(odd.outcome.layers.front().precision, made.outcome.layers.front().precision);
}

TEST(Int4, HowEightBitsComputeIsNoReasonAgainstFour) {
  model::Model model = float_convolution({64, 32, 3, 3}, random_floats(size_t{64} * 32 * 9, 6));
  const model::ShapeTable no_shapes;
  const Progress no_progress;
  QuantizationConfig config;
  config.weight_only_arithmetic = "float";
  const auto outcome = (*find_method("int4"))->run(model, {no_shapes, no_progress, config});
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  EXPECT_EQ(outcome->layers.front().precision, "int4 block 16, stored only");
}

/// The same with its initializer in a Constant node.
void move_to_node(model::Model& model) {
  auto& graph = model.graph;
  model::Node node = model::make_node("Constant", {}, graph.initializers.front().name);
  node.set_attribute("value", std::make_shared<model::Constant>(graph.initializers.front()));
  graph.initializers.clear();
  graph.nodes.insert(graph.nodes.begin(), node);
}

TEST(Int4, ConvolutionsTakeFourBitsByWhatTheOutputsLose) {
  const std::vector<int64_t> shape = {64, 32, 3, 3};
  const auto even = random_floats(size_t{64} * 32 * 9, 6);
  std::vector<float> spiked = even;  // weights of channels that are silent take all the steps
  for (size_t i = 0; i < spiked.size(); ++i) spiked[i] *= i / 9 % 2 == 1 ? 40 : 1;
  const auto precision = [&](const std::vector<float>& weights, bool in_node) {
    model::Model model = float_convolution(shape, weights);
    if (in_node) move_to_node(model);
    const CalibrationData data{
        engine::runtime_for_tests(), system_env(), skip_samples([]() -> SampleReader {
          return []() -> Result<std::optional<TensorMap>> {
            auto values = random_floats(size_t{32} * 36, 11);
            for (size_t i = 0; i < values.size(); ++i) values[i] *= i / 36 % 2 == 1 ? 0 : 1;
            return std::optional(TensorMap{{"x", make_float_tensor({1, 32, 6, 6}, values)}});
          };
        })};
    const model::ShapeTable no_shapes;
    const Progress no_progress;
    const auto outcome = (*find_method("int4"))->run(model, {no_shapes, no_progress, {}, &data});
    EXPECT_TRUE(outcome.has_value()) << outcome.error().to_string();
    const Decision& told = outcome->decisions.front();
    EXPECT_NE(told.reason.find("SQNR of the outputs with it alone in 4 bits: "), std::string::npos)
        << told.reason;
    return outcome->layers.front().precision;
  };
  for (const bool in_node : {false, true}) {
    EXPECT_EQ(precision(even, in_node), "int4 block 16, stored only");
    EXPECT_EQ(precision(spiked, in_node).substr(0, 4), "int8");
  }
}

TEST(CutZeros, PaddedChannelsAreStoredWithoutTheZerosAndPutBack) {
  std::vector<float> weights(size_t{48} * 32 * 3 * 3, 0);
  const std::vector<float> values = random_floats(weights.size(), 6);
  for (size_t out = 2; out < 33; ++out) {
    for (size_t i = 0; i < size_t{27} * 9; ++i) weights[out * 288 + i] = values[out * 288 + i];
  }
  const model::Model original = float_convolution({48, 32, 3, 3}, weights);
  for (const char* method : {"fp16", "weight_only", "int4"}) {
    model::Model model = model::clone(original);
    const model::ShapeTable no_shapes;
    const Progress no_progress;
    const auto outcome = (*find_method(method))->run(model, {no_shapes, no_progress, {}});
    ASSERT_TRUE(outcome.has_value()) << method;
    EXPECT_EQ(count(model, "Pad"), 1u) << method;
    EXPECT_EQ(outcome->layers.front().elements, 48 * 32 * 9);
    for (const AppliedOptimization& done : outcome->applied) {
      EXPECT_NE(done.name, "int4_stored_weights") << "27 x 9 weights are no whole blocks of 16";
    }
    EXPECT_GT(cosine(original, model), 0.98) << method;
    for (const model::Constant& constant : model.graph.initializers) {
      EXPECT_LE(constant.element_count(), 31 * 27 * 9) << method;
    }
  }
  model::Model old = model::clone(original);
  old.opset_imports = {{"", 9}};
  const model::ShapeTable no_shapes;
  const Progress no_progress;
  ASSERT_TRUE((*find_method("fp16"))->run(old, {no_shapes, no_progress, {}}).has_value());
  EXPECT_EQ(count(old, "Pad"), 0u);
  EXPECT_GT(cosine(original, old), 0.999);
}

/// A window's ends are zeros, as those of a Fourier transform that is a convolution.
TEST(CutZeros, ARuntimeDoesNotTakeTheZerosOfAWindowForPaddedData) {
  constexpr size_t kTaps = 25;
  std::vector<float> weights = random_floats(size_t{64} * 8 * kTaps, 6);
  for (size_t i = 0; i < weights.size(); ++i) {
    if (i % kTaps < 5 || i % kTaps >= 20) weights[i] = 0;
  }
  const model::Model window = float_convolution({64, 8, 5, 5}, weights);
  for (const char* method : {"fp16", "weight_only", "int4"}) {
    const Made made = fixtures::make(window, method);
    EXPECT_EQ(count(made.model, "Pad"), 1u) << method;
    EXPECT_GT(cosine(window, made.model), 0.98) << method;
  }
}

TEST(Int4, WeightsOfZerosAnswerZero) {
  model::Model original = model::text_like();
  auto& table = original.graph.initializers[0];
  auto& matrix = original.graph.initializers[1];
  for (const bool in_table : {false, true}) {
    model::Model zeros = model::clone(original);
    auto& emptied = zeros.graph.initializers[in_table ? 0 : 1];
    const auto& old = in_table ? table : matrix;
    emptied = make_float_constant(old.name, old.shape,
                                  std::vector<float>(static_cast<size_t>(old.element_count())));
    for (const char* arithmetic : {"integer", "float", "dequantize"}) {
      const Made made = make_int4(zeros, arithmetic);
      for (const auto& [name, output] : fixtures::run(made.model)) {
        for (const float value : output.values<float>()) ASSERT_NEAR(value, 0, 1e-8) << arithmetic;
      }
      for (const LayerQuantization& layer : made.outcome.layers) {
        EXPECT_GT(layer.weight_sqnr_db, 10) << layer.weight << " " << arithmetic;
      }
    }
  }
}

}  // namespace
}  // namespace wattwise::quantize
