// SPDX-License-Identifier: Apache-2.0
#include "quantize/adaround.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model/test_models.h"
#include "quantize/rounding_grids.h"

namespace wattwise::quantize {
namespace {

using model::random_floats;

constexpr size_t kRows = 70;
constexpr size_t kColumns = 9;

/// Inputs whose neighbours go together, and their X^T X.
struct Inputs {
  std::vector<float> rows;
  std::vector<float> gram;
};

Inputs correlated(size_t width, size_t count) {
  Inputs inputs{random_floats(width * count, 5), std::vector<float>(width * width)};
  for (size_t i = 1; i < inputs.rows.size(); ++i) inputs.rows[i] += 0.8F * inputs.rows[i - 1];
  for (size_t row = 0; row < count; ++row) {
    const float* x = inputs.rows.data() + row * width;
    for (size_t i = 0; i < width * width; ++i) inputs.gram[i] += x[i / width] * x[i % width];
  }
  return inputs;
}

RoundingGrid grid_of_8(size_t rows, size_t columns, float step) {
  return {rows, columns, std::vector<float>(columns, step), std::vector<float>(columns, -8),
          std::vector<float>(columns, 7)};
}

TEST(AdaRound, ErrsLessThanWhereItSetsOut) {
  const Inputs inputs = correlated(kRows, 200);
  const auto weights = random_floats(kRows * kColumns, 7);
  const RoundingGrid grid = grid_of_8(kRows, kColumns, 0.15F);
  const auto noise = [&](const std::vector<int8_t>& values) {
    return product_error(inputs.rows, weights, {values, grid}).noise;
  };
  const auto nearest = round_to_nearest(weights, grid);
  const auto adaptive = round_adaptively({nearest, grid}, weights, inputs.gram);
  EXPECT_LT(noise(adaptive), 0.6 * noise(nearest));
  const auto gptq = round_gptq(weights, inputs.gram, grid, {});
  EXPECT_LE(noise(round_adaptively({gptq, grid}, weights, inputs.gram)), noise(gptq));
  for (size_t i = 0; i < weights.size(); ++i) {
    const float exact = weights[i] / 0.15F;
    EXPECT_GE(adaptive[i], std::floor(exact)) << i;
    EXPECT_LE(adaptive[i], std::ceil(exact)) << i;
  }
}

TEST(AdaRound, FindsTheBestOfAllChoicesOfAFewWeights) {
  constexpr size_t kFew = 4;
  const Inputs inputs = correlated(kFew, 30);
  const RoundingGrid grid = grid_of_8(kFew, 1, 0.3F);
  int best_found = 0;
  for (uint32_t seed = 0; seed < 20; ++seed) {
    const auto weights = random_floats(kFew, 100 + seed);
    const auto noise = [&](const std::vector<int8_t>& values) {
      return product_error(inputs.rows, weights, {values, grid}).noise;
    };
    double least = std::numeric_limits<double>::infinity();
    for (size_t choice = 0; choice < (1U << kFew); ++choice) {
      std::vector<int8_t> values;
      for (size_t i = 0; i < kFew; ++i) {
        const float up = (choice >> i & 1U) != 0 ? 1.0F : 0.0F;
        values.push_back(static_cast<int8_t>(std::floor(weights[i] / 0.3F) + up));
      }
      least = std::min(least, noise(values));
    }
    const auto found =
        round_adaptively({round_to_nearest(weights, grid), grid}, weights, inputs.gram, {0, 20});
    EXPECT_GE(noise(found), least * (1 - 1e-5));
    EXPECT_LE(noise(found), noise(round_to_nearest(weights, grid)) * (1 + 1e-5));
    best_found += noise(found) <= least * (1 + 1e-5);
  }
  EXPECT_GE(best_found, 10) << "going down one coordinate may end beside the best";
}

TEST(AdaRound, KeepsPairsWithinTheirLimit) {
  const Inputs inputs = correlated(kRows, 200);
  auto weights = random_floats(kRows * kColumns, 8);
  for (float& weight : weights) weight = std::copysign(0.7F + 0.3F * weight * weight, weight);
  const RoundingGrid grid = matrix_grid(weights, {kRows, kColumns});
  const auto rounded =
      round_adaptively({round_to_nearest(weights, grid), grid}, weights, inputs.gram);
  EXPECT_EQ(count_unsafe_pairs(rounded, kRows, kColumns), 0);
}

}  // namespace
}  // namespace wattwise::quantize
