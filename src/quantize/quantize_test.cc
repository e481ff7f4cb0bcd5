// SPDX-License-Identifier: Apache-2.0
#include "quantize/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "engine/session.h"
#include "measure/metrics.h"
#include "model/graph_edit.h"
#include "model/test_models.h"
#include "optimize/optimize.h"
#include "quantize/kernels.h"
#include "quantize/quantize_testing.h"

namespace wattwise::quantize {
namespace {

using fixtures::kNoProgress;
using fixtures::kNoShapes;
using fixtures::run;
using model::image_like;
using model::random_floats;
using model::text_like;

uint8_t get_nibble(const std::vector<uint8_t>& packed, size_t index) {
  return (packed[index / 2] >> (index % 2 * 4)) & 0xf;
}

/// What blocks keep of the weights, in decibels.
double sqnr_of_blocks(Floats weights, const Int4Blocks& quantized, size_t columns, size_t block) {
  const size_t rows = weights.size() / columns;
  double signal = 0;
  double noise = 0;
  const size_t zero_bytes = (quantized.blocks_per_column + 1) / 2;
  for (size_t row = 0; row < rows; ++row) {
    for (size_t column = 0; column < columns; ++column) {
      const size_t index = column * quantized.blocks_per_column + row / block;
      const int q = get_nibble(quantized.packed, index * block + row % block);
      const int zero = get_nibble(quantized.zeros, column * zero_bytes * 2 + row / block);
      const float weight = weights[row * columns + column];
      const float error = weight - quantized.scales[index] * static_cast<float>(q - zero);
      signal += weight * weight;
      noise += error * error;
    }
  }
  return decibels(signal, noise);
}

TEST(Parity, EveryPassLeavesTheOutputsAsTheyWere) {
  for (const model::Model& original : {text_like(), image_like()}) {
    const TensorMap expected = run(original);
    for (const optimize::PassRow& row : optimize::pass_table()) {
      model::Model model = model::clone(original);
      const optimize::PassContext context(engine::runtime_for_tests(), system_env(), {});
      const auto outcome = row.run(model, context);
      ASSERT_TRUE(outcome.has_value()) << row.name;
      ASSERT_TRUE(model::verify(model).has_value()) << row.name;
      const auto compared = measure::compare_outputs(expected, run(model));
      ASSERT_TRUE(compared.has_value());
      for (const auto& output : *compared) {
        EXPECT_LE(output.max_relative_error, row.max_error) << row.name;
      }
    }
  }
}

TEST(Parity, EveryMethodStaysWithinItsBoundAndShrinksTheModel) {
  for (const model::Model& original : {text_like(), image_like()}) {
    const TensorMap expected = run(original);
    for (const MethodRow& row : method_table()) {
      if (row.needs_calibration) continue;  // has a test of its own, with data
      model::Model model = model::clone(original);
      const auto outcome = row.run(model, {kNoShapes, kNoProgress});
      ASSERT_TRUE(outcome.has_value()) << row.name;
      ASSERT_TRUE(model::verify(model).has_value()) << row.name;
      EXPECT_EQ(outcome->applied.empty(), row.name == "none");
      EXPECT_EQ(outcome->layers.empty(), row.name == "none");
      const auto compared = measure::compare_outputs(expected, run(model));
      ASSERT_TRUE(compared.has_value());
      for (const auto& output : *compared) {
        EXPECT_GE(output.cosine, 1 - row.allowed_output_error) << row.name << " " << output.output;
      }
    }
  }
}

TEST(Kernels, Int8RoundsHalfToEvenWithinHalfAStep) {
  const std::vector<float> weights = {127, 0.5F, 1.5F, -2.5F};
  const auto q = quantize_int8(weights, {1, 1, 4});
  EXPECT_EQ(q.scales[0], 1);
  EXPECT_EQ(q.values, (std::vector<int8_t>{127, 0, 2, -2}));
  const std::vector<float> zeros(4, 0);
  EXPECT_EQ(quantize_int8(zeros, {1, 2, 2}).scales, (std::vector<float>{1, 1}));
}

TEST(Kernels, PairsNeverSaturateSixteenBitsAndLoseLittle) {
  for (const size_t rows : {1u, 2u, 63u, 64u}) {
    const auto weights = random_floats(rows * 9, 5);
    const auto q = quantize_int8_pairs(weights, rows, 9);
    EXPECT_EQ(count_unsafe_pairs(q.values, rows, 9), 0);
    for (size_t row = 0; row + 1 < rows; row += 2) {
      for (size_t column = 0; column < 9; ++column) {
        const int sum = 255 * (q.values[row * 9 + column] + q.values[(row + 1) * 9 + column]);
        EXPECT_LE(std::abs(sum), 32768);
      }
    }
    // At worst a column loses one bit of eight, 6 dB of the 48 that uniform weights have.
    EXPECT_GT(weight_sqnr_db(weights, q, {rows, 9, 1}), 40);
  }
  const auto free = quantize_int8(random_floats(64 * 9, 5), {64, 9, 1});
  EXPECT_GT(count_unsafe_pairs(free.values, 64, 9), 0) << "the rule has something to do";
}

TEST(Kernels, WeightsMayLieAtAnyAddress) {
  const auto weights = random_floats(64 * 9, 5);
  std::vector<std::byte> shifted(weights.size() * sizeof(float) + 1);
  std::memcpy(shifted.data() + 1, weights.data(), weights.size() * sizeof(float));
  const Floats odd(std::span<const std::byte>(shifted).subspan(1));
  EXPECT_EQ(quantize_int8(odd, {64, 9, 1}).values, quantize_int8(weights, {64, 9, 1}).values);
  EXPECT_EQ(quantize_int8_pairs(odd, 64, 9).values, quantize_int8_pairs(weights, 64, 9).values);
  EXPECT_EQ(quantize_int4(odd, 64, 9, 32).packed, quantize_int4(weights, 64, 9, 32).packed);
}

TEST(Kernels, PairsThatKeepTheRuleAreRoundedAsWithoutIt) {
  const std::vector<float> weights = {127, -3.5F, 1, 2.5F};  // columns {127, 1}, {-3.5, 2.5}
  EXPECT_EQ(quantize_int8_pairs(weights, 2, 2).values, quantize_int8(weights, {2, 2, 1}).values);
}

TEST(Kernels, Int4KeepsEveryWeightWithinAStep) {
  const auto weights = random_floats(50 * 3, 9);  // the last block of each column is not full
  const auto q = quantize_int4(weights, 50, 3, 32);
  EXPECT_EQ(q.blocks_per_column, 2u);
  EXPECT_GT(sqnr_of_blocks(weights, q, 3, 32), 18);
}

TEST(Plan, RefusesWhatCannotWorkAndSaysWhatToUse) {
  const auto model = text_like();
  const auto message = [&](const char* method) {
    const auto refused = plan(model, {}, {method, {}, false});
    return refused ? std::string("accepted") : refused.error().message();
  };
  EXPECT_NE(message("static").find("calibration data"), std::string::npos);
  EXPECT_NE(message("dynamc").find("Did you mean \"dynamic\"?"), std::string::npos);
}

TEST(Plan, MatrixModelsGoDynamicOthersWeightOnly) {
  const auto first = [&](const model::Model& model) {
    const auto shapes = engine::infer_shapes(engine::runtime_for_tests(), system_env(), model, {});
    EXPECT_TRUE(shapes.has_value());
    return plan(model, *shapes, {"auto", {}, false})->methods.front();
  };
  EXPECT_EQ(first(model::dense_like(512, 512)), "dynamic");
  EXPECT_EQ(first(text_like()), "weight_only") << "products of 8 rows by 64 x 48 are too small";
  QuantizationConfig smallest;
  smallest.objective = "size";
  const auto model = text_like();
  const auto shapes = engine::infer_shapes(engine::runtime_for_tests(), system_env(), model, {});
  EXPECT_EQ(plan(model, *shapes, {"auto", smallest, false})->methods.front(), "int4");
  EXPECT_EQ(first(image_like()), "weight_only");
}

TEST(Plan, AutoCountsRecurrentLayersAndTriesMixedNext) {
  const auto methods = [&](const model::Model& model) {
    const auto shapes = engine::infer_shapes(engine::runtime_for_tests(), system_env(), model, {});
    EXPECT_TRUE(shapes.has_value());
    return plan(model, *shapes, {"auto", {}, false})->methods;
  };
  const std::vector<std::string> expected = {"dynamic", "mixed", "weight_only", "fp16", "none"};
  EXPECT_EQ(methods(model::speech_like(256)), expected);
  EXPECT_EQ(methods(model::speech_like(16)).front(), "weight_only") << "steps in float are faster";
  EXPECT_EQ(methods(image_like()),
            (std::vector<std::string>{"weight_only", "mixed", "fp16", "none"}));
}

}  // namespace
}  // namespace wattwise::quantize
