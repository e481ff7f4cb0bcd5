// SPDX-License-Identifier: Apache-2.0
#include "quantize/int4_columns.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>

#include "quantize/fit_int8.h"
#include "quantize/simd/rounding_kernels.h"

namespace wattwise::quantize {
namespace {

constexpr float kLow = -8;
constexpr float kHigh = 7;
constexpr float kMostColumnFactor = 15;
/// Columns that are fitted side by side, so that rows are read as they lie.
constexpr size_t kTile = 64;
/// Factors of the block with the largest weights. Large ones leave the others finer choices, and
/// clip pairs more; the first clips none.
constexpr std::array<float, 3> kLargestFactors = {8, 10, 13};
/// What is tried beside the factor that keeps the largest weight of a block, which is the first.
constexpr std::array<float, 4> kSteps = {0, -1, -2, 1};

using Lanes = std::array<float, kTile>;

/// `columns` neighbouring columns (at most kTile) of a matrix.
struct Tile {
  Floats weights;
  size_t stride;
  size_t first;
  size_t columns;
  size_t block;
  const std::vector<float>& importance;
  ScaleChoice choice;

  /// All that are worth trying, or the first of them.
  std::span<const float> tried(std::span<const float> all) const {
    return choice == ScaleChoice::kLeastError ? all : all.first(1);
  }

  size_t blocks() const { return weights.size() / stride / block; }
  const FileFloat* row(size_t index) const { return weights.data() + index * stride + first; }
};

/// The steps that just keep the weights of each block: [blocks] lanes.
std::vector<Lanes> keeping_steps(const Tile& tile) {
  std::vector<Lanes> steps(tile.blocks());
  for (size_t b = 0; b < steps.size(); ++b) {
    tile.weights.passed(b * tile.block * tile.stride);
    for (size_t row = b * tile.block; row < (b + 1) * tile.block; ++row) {
      const FileFloat* w = tile.row(row);
      for (size_t c = 0; c < tile.columns; ++c) {
        const float step = std::max(w[c] * (1 / kHigh), w[c] * (1 / kLow));
        steps[b][c] = std::max(steps[b][c], step);
      }
    }
  }
  return steps;
}

/// Squared errors of a block's columns at these scales and factors, of which a pair of neighbours
/// may have kPairLimit between them.
Lanes block_errors(const Tile& tile, size_t block, const Lanes& scales, const Lanes& factors) {
  Lanes errors;
  Lanes steps;
  Lanes limits;
  for (size_t c = 0; c < tile.columns; ++c) {
    steps[c] = scales[c] * factors[c];
    limits[c] = std::floor(kPairLimit / factors[c]);
  }
  const size_t first = block * tile.block;
  const float* importance = tile.importance.empty() ? nullptr : tile.importance.data() + first;
  rounding_kernels().paired_errors({tile.row(first), tile.stride, tile.block, tile.columns},
                                   {steps.data(), limits.data(), importance}, errors.data());
  return errors;
}

/// What a tile may look like: scales of the columns, factors of their blocks, squared errors.
struct Trial {
  Lanes scales{};
  std::vector<Lanes> factors;
  Lanes errors{};
};

Trial try_scales(const Tile& tile, const std::vector<Lanes>& steps, float largest_factor) {
  Trial trial{{}, std::vector<Lanes>(steps.size()), {}};
  for (size_t c = 0; c < tile.columns; ++c) {
    float largest = 0;
    for (const Lanes& step : steps) largest = std::max(largest, step[c]);
    trial.scales[c] = largest > 0 ? scale_of_16_bits(largest / largest_factor) : 1;
  }
  for (size_t b = 0; b < steps.size(); ++b) {
    Lanes least;
    least.fill(std::numeric_limits<float>::infinity());
    for (const float step : tile.tried(kSteps)) {
      Lanes factors;
      for (size_t c = 0; c < tile.columns; ++c) {
        const float keeping = std::ceil(steps[b][c] / trial.scales[c]);
        factors[c] = std::clamp(keeping + step, 1.0F, kMostColumnFactor);
      }
      const Lanes errors = block_errors(tile, b, trial.scales, factors);
      for (size_t c = 0; c < tile.columns; ++c) {
        if (errors[c] >= least[c]) continue;
        least[c] = errors[c];
        trial.factors[b][c] = factors[c];
      }
    }
    for (size_t c = 0; c < tile.columns; ++c) trial.errors[c] += least[c];
  }
  return trial;
}

void take(const Trial& trial, size_t column, size_t lane, Int4Columns& out) {
  const size_t columns = out.scales.size();
  out.scales[column] = trial.scales[lane];
  for (size_t b = 0; b < trial.factors.size(); ++b) {
    out.factors[b * columns + column] = static_cast<uint8_t>(trial.factors[b][lane]);
  }
}

void fit_tile(const Tile& tile, Int4Columns& out) {
  const std::vector<Lanes> steps = keeping_steps(tile);
  Lanes least;
  least.fill(std::numeric_limits<float>::infinity());
  for (const float factor : tile.tried(kLargestFactors)) {
    const Trial trial = try_scales(tile, steps, factor);
    for (size_t c = 0; c < tile.columns; ++c) {
      if (trial.errors[c] >= least[c]) continue;
      least[c] = trial.errors[c];
      take(trial, tile.first + c, c, out);
    }
  }
}

RoundingGrid grid_of(const Int4Columns& fitted, size_t block) {
  const size_t columns = fitted.scales.size();
  const size_t count = fitted.factors.size();
  RoundingGrid grid{block, columns, std::vector<float>(count), std::vector<float>(count, kLow),
                    std::vector<float>(count, kHigh)};
  grid.pair_limits.resize(count);
  for (size_t i = 0; i < count; ++i) {
    const auto factor = static_cast<float>(fitted.factors[i]);
    grid.steps[i] = fitted.scales[i % columns] * factor;
    grid.pair_limits[i] = std::floor(kPairLimit / factor);
  }
  return grid;
}

}  // namespace

size_t int4_column_block(size_t rows) {
  constexpr std::array<size_t, 29> kBlocks = {16, 18, 14, 20, 12, 22, 24, 10, 26, 28,
                                              30, 8,  32, 34, 36, 38, 40, 42, 44, 46,
                                              48, 50, 52, 54, 56, 58, 60, 62, 64};
  const auto fits = [&](size_t block) { return rows % block == 0; };
  const auto* const found = std::find_if(kBlocks.begin(), kBlocks.end(), fits);
  return found == kBlocks.end() ? 0 : *found;
}

Int4Columns fit_int4_columns(Floats weights, const Int4Fitting& fitting,
                             const std::vector<float>& importance) {
  const auto& [columns, block, choice] = fitting;
  Int4Columns out;
  out.scales.resize(columns);
  out.factors.resize(weights.size() / block);
  for (size_t first = 0; first < columns; first += kTile) {
    const size_t count = std::min(kTile, columns - first);
    fit_tile({weights, columns, first, count, block, importance, choice}, out);
  }
  out.grid = grid_of(out, block);
  return out;
}

}  // namespace wattwise::quantize
