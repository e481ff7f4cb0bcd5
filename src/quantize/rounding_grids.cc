// SPDX-License-Identifier: Apache-2.0
#include "quantize/rounding_grids.h"

#include <fmt/format.h>

#include "quantize/fit_int8.h"

namespace wattwise::quantize {
namespace {

constexpr int kInt4Max = 15;

void put_nibble(std::vector<uint8_t>& packed, size_t index, int value) {
  packed[index / 2] = static_cast<uint8_t>(packed[index / 2] | (value << (index % 2 * 4)));
}

}  // namespace

Int8Weights quantize_matrix(Floats weights, const MatrixShape& shape) {
  if (shape.range == WeightRange::kFull) {
    return fit_int8(weights, {1, {shape.rows, shape.columns, 1}}).quantized;
  }
  return quantize_int8_pairs(weights, shape.rows, shape.columns);
}

RoundingGrid matrix_grid(Floats weights, const MatrixShape& shape) {
  const size_t columns = shape.columns;
  const bool is_full = shape.range == WeightRange::kFull;
  RoundingGrid grid{
      shape.rows, columns,
      is_full ? quantize_matrix(weights, shape).scales : pair_scales(weights, shape.rows, columns),
      std::vector<float>(columns, -kInt8Max), std::vector<float>(columns, kInt8Max)};
  grid.limit_pairs = !is_full;
  return grid;
}

RoundingGrid int4_grid(Floats weights, size_t rows, size_t columns, size_t block) {
  const Int4Blocks blocks = quantize_int4(weights, rows, columns, block);
  const size_t count = blocks.blocks_per_column;
  RoundingGrid grid{block, columns, {}, {}, {}};
  grid.steps.resize(count * columns);
  grid.low.resize(count * columns);
  grid.high.resize(count * columns);
  for (size_t column = 0; column < columns; ++column) {
    for (size_t b = 0; b < count; ++b) {
      const uint8_t two = blocks.zeros[column * ((count + 1) / 2) + b / 2];
      const auto zero = static_cast<float>((two >> (b % 2 * 4)) & 0xf);
      grid.steps[b * columns + column] = blocks.scales[column * count + b];
      grid.low[b * columns + column] = -zero;
      grid.high[b * columns + column] = static_cast<float>(kInt4Max) - zero;
    }
  }
  return grid;
}

Int4Blocks pack_int4(const std::vector<int8_t>& values, const RoundingGrid& grid) {
  const size_t columns = grid.columns;
  const size_t rows = values.size() / columns;
  const size_t block = grid.rows_per_group;
  Int4Blocks out;
  out.blocks_per_column = (rows + block - 1) / block;
  const size_t zero_bytes = (out.blocks_per_column + 1) / 2;
  out.packed.resize(columns * out.blocks_per_column * block / 2);
  out.scales.resize(columns * out.blocks_per_column);
  out.zeros.resize(columns * zero_bytes);
  for (size_t column = 0; column < columns; ++column) {
    for (size_t b = 0; b < out.blocks_per_column; ++b) {
      const size_t index = column * out.blocks_per_column + b;
      const int zero = -static_cast<int>(grid.low[b * columns + column]);
      out.scales[index] = grid.steps[b * columns + column];
      put_nibble(out.zeros, column * zero_bytes * 2 + b, zero);
      for (size_t row = b * block; row < std::min(rows, (b + 1) * block); ++row) {
        put_nibble(out.packed, index * block + row % block, values[row * columns + column] + zero);
      }
    }
  }
  return out;
}

RoundedMatrix round_matrix(Floats weights, const RoundingGrid& grid,
                           const InputStatistics& statistics) {
  std::vector<float> inputs;
  for (const auto& excerpt : statistics.excerpts) {
    inputs.insert(inputs.end(), excerpt.rows.begin(), excerpt.rows.end());
  }
  RoundedMatrix out;
  GptqOptions options;
  options.by_activation = true;
  out.values = round_gptq(weights, statistics.gram, grid, options);
  out.gptq = product_error(inputs, weights, out.values, grid);
  out.nearest = product_error(inputs, weights, round_to_nearest(weights, grid), grid);
  return out;
}

std::string describe_gain(const RoundedMatrix& rounded) {
  const auto sqnr = [](const ProductError& error) { return decibels(error.signal, error.noise); };
  return fmt::format("products keep {:.1f} dB, {:.1f} dB if rounded to nearest", sqnr(rounded.gptq),
                     sqnr(rounded.nearest));
}

}  // namespace wattwise::quantize
