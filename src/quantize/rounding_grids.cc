// SPDX-License-Identifier: Apache-2.0
#include "quantize/rounding_grids.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "quantize/adaround.h"
#include "quantize/bias_correction.h"
#include "quantize/fit_int8.h"

namespace wattwise::quantize {
namespace {

constexpr int kInt4Max = 15;
constexpr int kInt4Middle = 8;
/// Of a column of zeros, or of what has no normal steps: a runtime takes the middle times the sum
/// of the inputs away from sums of floats, and what it rounds there is this many times an input.
/// The least that 16 bits hold well.
constexpr float kStepOfZeros = 1.0F / 16384;
constexpr float kMostFactor = 15;
/// A block may lose this share of a factor at the ends of its range for a finer step.
constexpr float kMostCut = 0.6F;
/// What counts at least of a row that multiplies nearly the same always: means are not known well.
constexpr double kLeastImportance = 0.01;

/// The scale of a block; 0 of one that is all zeros, which any scale keeps.
float step_of(const Int4Blocks& blocks, size_t index, size_t block) {
  const auto first = blocks.packed.begin() + static_cast<ptrdiff_t>(index * block / 2);
  const auto is_zero = [](uint8_t two) { return two == 0; };
  return std::all_of(first, first + static_cast<ptrdiff_t>(block / 2), is_zero)
             ? 0
             : blocks.scales[index];
}

bool corrects_bias(const RoundingData& data) {
  return data.has_bias && data.techniques.has(Technique::kBiasCorrection);
}

}  // namespace

MatrixShape matrix_shape(const Weight& weight) {
  return {weight.dim(0), weight.dim(1), weight.range, weight.scale_choice(), weight.one_scale};
}

Int8Weights quantize_matrix(Floats weights, const MatrixShape& shape) {
  const bool is_full = shape.range == WeightRange::kFull;
  const ChannelLayout layout{shape.rows, shape.columns, 1};
  if (shape.one_scale) {
    std::vector<float> scales = matrix_grid(weights, shape).steps;
    return is_full ? round_int8(weights, layout, std::move(scales))
                   : round_int8_pairs(weights, shape.rows, std::move(scales));
  }
  return is_full ? fit_int8(weights, {1, layout, shape.choice}).quantized
                 : quantize_int8_pairs(weights, shape.rows, shape.columns, shape.choice);
}

RoundingGrid matrix_grid(Floats weights, const MatrixShape& shape) {
  const size_t columns = shape.columns;
  const bool is_full = shape.range == WeightRange::kFull;
  RoundingGrid grid{
      shape.rows, columns,
      is_full ? fit_int8(weights, {1, {shape.rows, columns, 1}, shape.choice}).quantized.scales
              : pair_scales(weights, shape.rows, columns, shape.choice),
      std::vector<float>(columns, -kInt8Max), std::vector<float>(columns, kInt8Max)};
  if (shape.one_scale) {
    const float largest = *std::max_element(grid.steps.begin(), grid.steps.end());
    std::fill(grid.steps.begin(), grid.steps.end(), largest);
  }
  if (!is_full) grid.pair_limits.assign(columns, kPairLimit);
  return grid;
}

namespace {

/// Steps and zero points of blocks, [columns, blocks]; a step of 0 where all weights are 0.
struct Int4Ranges {
  size_t blocks_per_column;
  std::vector<float> steps;
  std::vector<uint8_t> zeros;
};

Int4Ranges asymmetric_ranges(Floats weights, size_t rows, size_t columns, size_t block) {
  const Int4Blocks blocks = quantize_int4(weights, rows, columns, block);
  const size_t count = blocks.blocks_per_column;
  Int4Ranges out{count, {}, {}};
  for (size_t index = 0; index < columns * count; ++index) {
    const size_t nibble = index / count * (count + count % 2) + index % count;
    out.steps.push_back(step_of(blocks, index, block));
    out.zeros.push_back((blocks.zeros[nibble / 2] >> (nibble % 2 * 4)) & 0xf);
  }
  return out;
}

/// Steps that just keep the weights of each block in -8..7.
Int4Ranges symmetric_ranges(Floats weights, size_t rows, size_t columns, size_t block) {
  const size_t count = (rows + block - 1) / block;
  Int4Ranges out{count, std::vector<float>(columns * count),
                 std::vector<uint8_t>(columns * count, kInt4Middle)};
  for (size_t row = 0; row < rows; ++row) {
    weights.passed(row * columns);
    for (size_t column = 0; column < columns; ++column) {
      const float w = weights[row * columns + column];
      float& step = out.steps[column * count + row / block];
      step = std::max({step, w / (kInt4Max - kInt4Middle), w / -kInt4Middle});
    }
  }
  return out;
}

}  // namespace

Int4Grid int4_grid(Floats weights, size_t rows, size_t columns, const Int4Blocking& blocking) {
  const auto& [block, is_symmetric] = blocking;
  const Int4Ranges ranges = is_symmetric ? symmetric_ranges(weights, rows, columns, block)
                                         : asymmetric_ranges(weights, rows, columns, block);
  const size_t count = ranges.blocks_per_column;
  Int4Grid out{{block, columns, {}, {}, {}}, {}, {}};
  for (std::vector<float>* part : {&out.grid.steps, &out.grid.low, &out.grid.high}) {
    part->resize(count * columns);
  }
  for (size_t column = 0; column < columns; ++column) {
    const float* steps = ranges.steps.data() + column * count;
    const float largest = *std::max_element(steps, steps + count);
    const float scale = normal_scale_of_16_bits(largest / kMostFactor, kStepOfZeros);
    out.column_scales.push_back(scale);
    for (size_t b = 0; b < count; ++b) {
      const auto zero = static_cast<float>(ranges.zeros[column * count + b]);
      const float factor = std::clamp(std::ceil(steps[b] / scale - kMostCut), 1.0F, kMostFactor);
      // The middle of what is represented stays where it was.
      const float middle = static_cast<float>(kInt4Max) / 2;
      const float moved = std::nearbyint(middle - (middle - zero) * steps[b] / (factor * scale));
      const float kept =
          is_symmetric ? zero : std::clamp(moved, 0.0F, static_cast<float>(kInt4Max));
      out.factors.push_back(static_cast<uint8_t>(factor));
      out.grid.steps[b * columns + column] = factor * scale;
      out.grid.low[b * columns + column] = -kept;
      out.grid.high[b * columns + column] = static_cast<float>(kInt4Max) - kept;
    }
  }
  return out;
}

Int4Blocks pack_int4(const std::vector<int8_t>& values, const RoundingGrid& grid) {
  const size_t columns = grid.columns;
  const size_t rows = values.size() / columns;
  const size_t block = grid.rows_per_group;
  Int4Blocks out;
  out.blocks_per_column = (rows + block - 1) / block;
  const size_t zero_bytes = (out.blocks_per_column + 1) / 2;
  out.packed.resize(columns * out.blocks_per_column * block / 2);
  out.zeros.resize(columns * zero_bytes);
  for (size_t column = 0; column < columns; ++column) {
    for (size_t b = 0; b < out.blocks_per_column; ++b) {
      const size_t index = column * out.blocks_per_column + b;
      const int zero = -static_cast<int>(grid.low[b * columns + column]);
      put_nibble(out.zeros, column * zero_bytes * 2 + b, zero);
      for (size_t row = b * block; row < std::min(rows, (b + 1) * block); ++row) {
        put_nibble(out.packed, index * block + row % block, values[row * columns + column] + zero);
      }
    }
  }
  return out;
}

double weight_sqnr_db(Floats weights, const std::vector<int8_t>& values, const RoundingGrid& grid) {
  double signal = 0;
  double noise = 0;
  for (size_t at = 0; at < weights.size(); at += grid.columns) {
    weights.passed(at);
    const size_t group = at / grid.columns / grid.rows_per_group;
    const float* steps = grid.steps.data() + group * grid.columns;
    for (size_t c = 0; c < grid.columns; ++c) {
      const float weight = weights[at + c];
      const float error = weight - steps[c] * static_cast<float>(values[at + c]);
      signal += weight * weight;
      noise += error * error;
    }
  }
  return decibels(signal, noise);
}

std::vector<float> row_importance(const RoundingData& data) {
  const InputStatistics& statistics = data.statistics;
  std::vector<float> importance = statistics.power;
  if (!corrects_bias(data)) return importance;
  for (size_t i = 0; i < importance.size(); ++i) {
    const double mean = statistics.means[i];
    const double rest = importance[i] - static_cast<double>(statistics.rows) * mean * mean;
    importance[i] = static_cast<float>(std::max(rest, kLeastImportance * importance[i]));
  }
  return importance;
}

namespace {

/// Rounds as the techniques say, from what is rounded to nearest.
std::vector<int8_t> round_by_gram(std::vector<int8_t> nearest, Floats weights,
                                  const RoundingGrid& grid, const RoundingData& data) {
  const bool by_gptq = data.techniques.has(Technique::kGptq);
  const bool by_adaround = data.techniques.has(Technique::kAdaRound);
  if (!by_gptq && !by_adaround) return nearest;
  const InputStatistics& statistics = data.statistics;
  std::vector<float> centred;
  if (corrects_bias(data)) {
    centred = centred_gram(statistics.gram, statistics.means, statistics.rows);
  }
  const std::vector<float>& gram = centred.empty() ? statistics.gram : centred;
  GptqOptions options;
  options.by_activation = true;
  std::vector<int8_t> values =
      by_gptq ? round_gptq(weights, gram, grid, options) : std::move(nearest);
  return by_adaround ? round_adaptively({values, grid}, weights, gram) : values;
}

}  // namespace

RoundedMatrix round_matrix(Floats weights, const RoundingGrid& grid, const RoundingData& data) {
  const InputStatistics& statistics = data.statistics;
  const std::vector<float> inputs = rows_of_excerpts(statistics);
  std::vector<int8_t> nearest = round_to_nearest(weights, grid);
  RoundedMatrix out;
  out.nearest = product_error(inputs, weights, {nearest, grid});
  out.values = round_by_gram(std::move(nearest), weights, grid, data);
  if (corrects_bias(data)) {
    out.bias_change = bias_change(statistics.means, weights, out.values, grid);
  }
  out.error = product_error(inputs, weights, {out.values, grid, out.bias_change});
  return out;
}

std::string describe_gain(const RoundedMatrix& rounded) {
  const auto sqnr = [](const ProductError& error) { return decibels(error.signal, error.noise); };
  return fmt::format("products: {}, rounded to nearest {}", format_decibels(sqnr(rounded.error)),
                     format_decibels(sqnr(rounded.nearest)));
}

}  // namespace wattwise::quantize
