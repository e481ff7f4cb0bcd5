// SPDX-License-Identifier: Apache-2.0
#include "quantize/gptq.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "quantize/kernels.h"

namespace wattwise::quantize {
namespace {

using Doubles = std::vector<double>;

/// Inputs [count, rows] whose channels depend on each other and differ in size.
std::vector<float> related_inputs(size_t count, size_t rows, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> inputs(count * rows);
  for (size_t i = 0; i < count; ++i) {
    float before = 0;
    for (size_t k = 0; k < rows; ++k) {
      before = 0.8F * before + normal(random);
      inputs[i * rows + k] = before * (1 + static_cast<float>(k % 5));
    }
  }
  return inputs;
}

std::vector<float> gram_of(const std::vector<float>& inputs, size_t rows) {
  std::vector<float> gram(rows * rows);
  for (size_t i = 0; i < inputs.size(); i += rows) {
    for (size_t a = 0; a < rows; ++a) {
      for (size_t b = 0; b < rows; ++b) gram[a * rows + b] += inputs[i + a] * inputs[i + b];
    }
  }
  return gram;
}

std::vector<float> random_weights(size_t count) {
  std::mt19937 random(4);
  std::normal_distribution<float> normal(0, 0.1F);
  std::vector<float> weights(count);
  for (float& weight : weights) weight = normal(random);
  return weights;
}

RoundingGrid even_grid(size_t rows, size_t columns, float step, float limit) {
  const std::vector<float> steps(columns, step);
  return {rows, columns, steps, std::vector<float>(columns, -limit),
          std::vector<float>(columns, limit)};
}

/// Gauss-Jordan, for a matrix that needs no pivoting.
Doubles inverse_of(Doubles matrix, size_t size) {
  Doubles out(size * size);
  for (size_t i = 0; i < size; ++i) out[i * size + i] = 1;
  for (size_t pivot = 0; pivot < size; ++pivot) {
    const double scale = 1 / matrix[pivot * size + pivot];
    for (size_t j = 0; j < size; ++j) {
      matrix[pivot * size + j] *= scale;
      out[pivot * size + j] *= scale;
    }
    for (size_t i = 0; i < size; ++i) {
      const double factor = matrix[i * size + pivot];
      if (i == pivot) continue;
      for (size_t j = 0; j < size; ++j) {
        matrix[i * size + j] -= factor * matrix[pivot * size + j];
        out[i * size + j] -= factor * out[pivot * size + j];
      }
    }
  }
  return out;
}

/// GPTQ as published: after each row the rows left are corrected by the inverse, from which the row
/// is then eliminated.
std::vector<int8_t> plain_gptq(const std::vector<float>& weights, const std::vector<float>& gram,
                               const RoundingGrid& grid) {
  const size_t columns = grid.columns;
  const size_t rows = weights.size() / columns;
  Doubles damped(gram.begin(), gram.end());
  double mean = 0;
  for (size_t k = 0; k < rows; ++k) mean += damped[k * rows + k] / static_cast<double>(rows);
  for (size_t k = 0; k < rows; ++k) damped[k * rows + k] += 0.01 * mean;
  Doubles inverse = inverse_of(damped, rows);
  Doubles left(weights.begin(), weights.end());
  std::vector<int8_t> out(weights.size());
  for (size_t k = 0; k < rows; ++k) {
    const double diagonal = inverse[k * rows + k];
    for (size_t c = 0; c < columns; ++c) {
      const size_t cell = k / grid.rows_per_group * columns + c;
      const double q =
          std::clamp(std::nearbyint(left[k * columns + c] / grid.steps[cell]),
                     static_cast<double>(grid.low[cell]), static_cast<double>(grid.high[cell]));
      out[k * columns + c] = static_cast<int8_t>(q);
      const double error = (left[k * columns + c] - q * grid.steps[cell]) / diagonal;
      for (size_t j = k + 1; j < rows; ++j) left[j * columns + c] -= error * inverse[k * rows + j];
    }
    const Doubles before = inverse;
    for (size_t i = k + 1; i < rows; ++i) {
      for (size_t j = k + 1; j < rows; ++j) {
        inverse[i * rows + j] -= before[i * rows + k] * before[k * rows + j] / diagonal;
      }
    }
  }
  return out;
}

TEST(Gptq, RoundsExactlyAsThePublishedMethod) {
  for (const size_t rows : {1u, 63u, 64u, 150u}) {  // one batch of rows and several
    const auto weights = random_weights(rows * 5);
    const auto gram = gram_of(related_inputs(4 * rows, rows, 2), rows);
    RoundingGrid grid = even_grid(rows, 5, 0.04F, 7);
    EXPECT_EQ(round_gptq(weights, gram, grid), plain_gptq(weights, gram, grid)) << rows;
  }
}

TEST(Gptq, RoundsGroupsOnTheirOwnGrids) {
  const size_t rows = 96;
  const auto weights = random_weights(rows * 3);
  const auto gram = gram_of(related_inputs(400, rows, 2), rows);
  RoundingGrid grid{32, 3, {}, {}, {}};
  for (size_t cell = 0; cell < 9; ++cell) {
    grid.steps.push_back(0.02F + 0.005F * static_cast<float>(cell));
    grid.low.push_back(-static_cast<float>(cell));
    grid.high.push_back(15 - static_cast<float>(cell));
  }
  const auto values = round_gptq(weights, gram, grid);
  EXPECT_EQ(values, plain_gptq(weights, gram, grid));
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t cell = i / 3 / 32 * 3 + i % 3;
    EXPECT_GE(values[i], grid.low[cell]);
    EXPECT_LE(values[i], grid.high[cell]);
  }
}

TEST(Gptq, ProductsOfOtherInputsOfTheKindErrLess) {
  const size_t rows = 128;
  const auto weights = random_weights(rows * 8);
  const auto gram = gram_of(related_inputs(1000, rows, 2), rows);
  const auto unseen = related_inputs(200, rows, 3);
  const RoundingGrid grid = even_grid(rows, 8, 0.04F, 7);
  const auto noise = [&](const std::vector<int8_t>& values) {
    return product_error(unseen, weights, {values, grid}).noise;
  };
  const double nearest = noise(round_to_nearest(weights, grid));
  EXPECT_LT(noise(round_gptq(weights, gram, grid)), 0.5 * nearest);
  EXPECT_LT(noise(round_gptq(weights, gram, grid, {0.01F, true})), 0.5 * nearest);
}

TEST(Gptq, WithoutRelationsAmongInputsItRoundsToNearest) {
  const size_t rows = 70;
  const auto weights = random_weights(rows * 3);
  std::vector<float> gram(rows * rows);
  for (size_t k = 0; k < rows; ++k) gram[k * rows + k] = 2;
  const RoundingGrid grid = even_grid(rows, 3, 0.03F, 127);
  EXPECT_EQ(round_gptq(weights, gram, grid), round_to_nearest(weights, grid));
  EXPECT_EQ(round_gptq(weights, std::vector<float>(rows * rows), grid),
            round_to_nearest(weights, grid));
}

TEST(Gptq, InputsThatAreTooFewLeaveItSound) {
  const size_t rows = 80;
  const auto weights = random_weights(rows * 3);
  const auto inputs = related_inputs(3, rows, 2);  // a Gram matrix of rank 3
  const RoundingGrid grid = even_grid(rows, 3, 0.03F, 7);
  const auto values = round_gptq(weights, gram_of(inputs, rows), grid, {1e-9F, false});
  EXPECT_LE(product_error(inputs, weights, {values, grid}).noise,
            product_error(inputs, weights, {round_to_nearest(weights, grid), grid}).noise);
}

TEST(Gptq, PairsStayWithinTheirLimit) {
  for (const size_t rows : {64u, 129u}) {
    const auto weights = random_weights(rows * 6);
    const auto gram = gram_of(related_inputs(500, rows, 2), rows);
    RoundingGrid grid = even_grid(rows, 6, 0.001F, 127);  // many weights beyond the limits
    EXPECT_GT(count_unsafe_pairs(round_gptq(weights, gram, grid), rows, 6), 0);
    grid.pair_limits.assign(6, 128);
    EXPECT_EQ(count_unsafe_pairs(round_gptq(weights, gram, grid), rows, 6), 0);
    EXPECT_EQ(count_unsafe_pairs(round_gptq(weights, gram, grid, {0.01F, true}), rows, 6), 0);
    EXPECT_EQ(count_unsafe_pairs(round_to_nearest(weights, grid), rows, 6), 0);
  }
}

TEST(Gptq, TheErrorOfProductsIsThatOfTheirValues) {
  const std::vector<float> weights = {1.25F, 2};  // one column
  const std::vector<int8_t> values = {1, 2};
  const auto error =
      product_error(std::vector<float>{1, 0, 2, 1}, weights, {values, even_grid(2, 1, 1, 127)});
  EXPECT_FLOAT_EQ(error.signal, 1.25 * 1.25 + 4.5 * 4.5);
  EXPECT_FLOAT_EQ(error.noise, 0.0625 + 0.25);
}

}  // namespace
}  // namespace wattwise::quantize
