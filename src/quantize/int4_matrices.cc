// SPDX-License-Identifier: Apache-2.0
#include "quantize/int4_matrices.h"

#include <fmt/format.h>

#include "optimize/graph_editor.h"
#include "quantize/integer_matmul.h"
#include "quantize/product_bias.h"
#include "quantize/store_half.h"
#include "quantize/store_int4.h"

namespace wattwise::quantize {
namespace {

constexpr size_t kUsualBlock = 32;
/// int8 activations inside the operator: the fastest of its modes on processors.
constexpr int64_t kInt8Accumulation = 4;

Bytes view_of(const std::vector<uint8_t>& data) {
  return Bytes::view_of(std::span<const uint8_t>(data));
}

std::string describe(const RoundingGrid& grid, const Weight& weight) {
  return fmt::format("int4 block {}{}", grid.rows_per_group,
                     weight.int4.is_symmetric ? ", symmetric" : "");
}

LayerQuantization layer_of(const Weight& weight, std::string precision, const RoundingGrid& grid,
                           const RoundedMatrix& rounded) {
  return {layer_name(weight), weight.name, std::move(precision),
          static_cast<int64_t>(weight.values().size()),
          weight_sqnr_db(weight.values(), rounded.values, grid)};
}

LayerQuantization multiply_nbits(const Weight& weight, const Int4Grid& fitted,
                                 const RoundedMatrix& rounded, ModelEdits& edits) {
  const Int4Blocks quantized = pack_int4(rounded.values, fitted.grid);
  const int64_t columns = weight.constant.shape[1];
  const auto blocks = static_cast<int64_t>(quantized.blocks_per_column);
  const auto block = static_cast<int64_t>(fitted.grid.rows_per_group);
  const std::string values = edits.add_constant(
      weight, "_int4",
      {DataType::kUint8, {columns, blocks, block / 2}, view_of(quantized.packed), {}});
  const std::string scales =
      add_steps(weight, {{columns, blocks}, fitted.factors, fitted.column_scales}, edits);
  std::vector<std::string> constants = {values, scales};
  if (!weight.int4.is_symmetric) {
    constants.push_back(edits.add_constant(
        weight, "_zeros",
        {DataType::kUint8, {columns * ((blocks + 1) / 2)}, view_of(quantized.zeros), {}}));
  }
  for (const WeightReader& reader : weight.readers) {
    model::Node node = *reader.node;
    node.op_type = "MatMulNBits";
    node.domain = "com.microsoft";
    node.inputs = {reader.node->inputs[0]};
    node.inputs.insert(node.inputs.end(), constants.begin(), constants.end());
    node.set_attribute("K", weight.constant.shape[0]);
    node.set_attribute("N", columns);
    node.set_attribute("bits", int64_t{4});
    node.set_attribute("block_size", block);
    node.set_attribute("accuracy_level", kInt8Accumulation);
    edits.replace(reader, {std::move(node)});
    if (!rounded.bias_change.empty()) change_bias(weight, reader, rounded.bias_change, edits);
  }
  edits.remove_constant(weight);
  return layer_of(weight, describe(fitted.grid, weight), fitted.grid, rounded);
}

/// An array in 4 bits, as ONNX keeps it.
template <typename NibbleAt>
std::vector<uint8_t> pack_array(size_t count, const NibbleAt& nibble_at) {
  return pack_nibbles(count, count, nibble_at);
}

/// The matrix as it was, of DequantizeLinear's inputs.
LayerQuantization dequantize(const Weight& weight, const Int4Grid& fitted,
                             const RoundedMatrix& rounded, ModelEdits& edits) {
  const RoundingGrid& grid = fitted.grid;
  const bool is_symmetric = weight.int4.is_symmetric;
  const DataType type = is_symmetric ? DataType::kInt4 : DataType::kUint4;
  const size_t columns = grid.columns;
  const std::vector<int64_t> blocks = {static_cast<int64_t>(grid.steps.size() / columns),
                                       weight.constant.shape[1]};
  const auto zero_of = [&](size_t group) { return -static_cast<int>(grid.low[group]); };
  const auto stored = [&](size_t i) {
    const size_t group = i / columns / grid.rows_per_group * columns + i % columns;
    const int zero = is_symmetric ? 0 : zero_of(group);
    return (rounded.values[i] + zero) & 0xf;
  };
  const std::vector<uint8_t> values = pack_array(rounded.values.size(), stored);
  std::vector<std::string> inputs = {
      edits.add_constant(weight, "_int4", {type, weight.constant.shape, view_of(values), {}}),
      edits.add_constant(weight, "_scale", make_float_tensor(blocks, grid.steps))};
  if (!is_symmetric) {
    const std::vector<uint8_t> zeros = pack_array(grid.steps.size(), zero_of);
    inputs.push_back(edits.add_constant(weight, "_zeros", {type, blocks, view_of(zeros), {}}));
  }
  model::Node node = optimize::make_node("DequantizeLinear", std::move(inputs), weight.name);
  node.set_attribute("axis", int64_t{0});
  node.set_attribute("block_size", static_cast<int64_t>(grid.rows_per_group));
  edits.add_first(weight, std::move(node));
  for (const WeightReader& reader : weight.readers) {
    if (!rounded.bias_change.empty()) change_bias(weight, reader, rounded.bias_change, edits);
  }
  edits.remove_constant(weight);
  return layer_of(weight, describe(grid, weight) + ", DequantizeLinear", grid, rounded);
}

LayerQuantization multiply_unpacked(const Weight& weight, const Int4Columns& fitted,
                                    const RoundedMatrix& rounded, ModelEdits& edits) {
  const std::string values = add_int4_columns(weight, fitted, rounded.values, edits);
  const std::string scale =
      add_floats(weight, {"_scale", {weight.constant.shape[1]}, fitted.scales}, edits);
  multiply_in_integers(weight, {values, scale, rounded.bias_change}, edits);
  return layer_of(weight,
                  fmt::format("int4 block {}, dynamic activations", fitted.grid.rows_per_group),
                  fitted.grid, rounded);
}

/// The block of a matrix that is unpacked to int8; 0 for those that are not.
size_t unpacked_block(const Int4Matrix& matrix) {
  const Weight& weight = matrix.weight;
  if (matrix.form != Int4Form::kUnpacked) return 0;
  const size_t wanted = weight.int4.block;
  return wanted > 0 && weight.dim(0) % wanted == 0 ? wanted : int4_column_block(weight.dim(0));
}

LayerQuantization multiply_packed(const Int4Matrix& matrix, const Int4Grid& fitted,
                                  const RoundedMatrix& rounded, ModelEdits& edits) {
  return matrix.form == Int4Form::kDequantized
             ? dequantize(matrix.weight, fitted, rounded, edits)
             : multiply_nbits(matrix.weight, fitted, rounded, edits);
}

RoundedMatrix nearest(const Weight& weight, const RoundingGrid& grid) {
  return {round_to_nearest(weight.values(), grid), {}, {}, {}};
}

}  // namespace

Int4Grid packed_grid(Floats weights, size_t rows, const Int4Blocking& blocking) {
  const size_t block = blocking.block > 0 ? blocking.block : kUsualBlock;
  return int4_grid(weights, rows, weights.size() / rows, {block, blocking.is_symmetric});
}

LayerQuantization quantize_int4_matrix(const Int4Matrix& matrix, ModelEdits& edits) {
  const Weight& weight = matrix.weight;
  if (const size_t block = unpacked_block(matrix); block > 0) {
    const Int4Columns fitted =
        fit_int4_columns(weight.values(), {weight.dim(1), block, weight.scale_choice()});
    return multiply_unpacked(weight, fitted, nearest(weight, fitted.grid), edits);
  }
  const Int4Grid fitted = packed_grid(weight.values(), weight.dim(0), weight.int4);
  return multiply_packed(matrix, fitted, nearest(weight, fitted.grid), edits);
}

LayerQuantization round_int4_matrix(const Int4Matrix& matrix, const InputStatistics& statistics,
                                    ModelEdits& edits, MethodOutcome& outcome) {
  const Weight& weight = matrix.weight;
  const Floats values = weight.values();
  RoundingData data{statistics, weight.techniques};
  const auto tell = [&](const RoundedMatrix& rounded) {
    outcome.decisions.push_back({"round_by_inputs", weight.name, describe_gain(rounded)});
  };
  if (const size_t block = unpacked_block(matrix); block > 0) {
    const Int4Columns fitted = fit_int4_columns(
        values, {weight.dim(1), block, weight.scale_choice()}, row_importance(data));
    const RoundedMatrix rounded = round_matrix(values, fitted.grid, data);
    tell(rounded);
    return multiply_unpacked(weight, fitted, rounded, edits);
  }
  const Int4Grid fitted = packed_grid(values, weight.dim(0), weight.int4);
  data.has_bias = all_have_biases(weight);
  const RoundedMatrix rounded = round_matrix(values, fitted.grid, data);
  tell(rounded);
  return multiply_packed(matrix, fitted, rounded, edits);
}

}  // namespace wattwise::quantize
