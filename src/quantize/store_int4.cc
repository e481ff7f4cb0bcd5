// SPDX-License-Identifier: Apache-2.0
#include "quantize/store_int4.h"

#include <fmt/format.h>

#include <algorithm>

#include "optimize/graph_editor.h"
#include "quantize/int4_rows.h"
#include "quantize/kernels.h"
#include "quantize/store_half.h"
#include "quantize/store_int8.h"

namespace wattwise::quantize {
namespace {

using optimize::make_node;

constexpr int64_t kOnnxInt8 = 3;
/// What q is stored above.
constexpr int kMiddle = 8;
/// Weights of a table's row that share a factor.
constexpr size_t kRowBlock = 32;
/// The same of other weights, which are fewer and whose errors go through every layer that follows.
constexpr size_t kStoredBlock = 16;

Tensor bytes_tensor(std::vector<int64_t> shape, std::vector<uint8_t> bytes) {
  return {DataType::kUint8, std::move(shape), Bytes::own(std::move(bytes)), {}};
}

template <typename T>
Tensor scalar(DataType type, T value) {
  return {type, {}, Bytes::copy_of(std::span<const T>(&value, 1)), {}};
}

/// One node more before all others; returns the name of what it makes.
std::string add_step(const Weight& weight, const model::Node& node, ModelEdits& edits) {
  std::string made = edits.unique("unpacked");
  model::Node step = node;
  step.outputs = {made};
  step.name = made + "_" + step.op_type;
  edits.add_first(weight, std::move(step));
  return made;
}

std::string shift(const Weight& weight, const std::string& value, const char* direction,
                  ModelEdits& edits) {
  const std::string four =
      edits.shared_constant(weight, "_nibble", scalar<uint8_t>(DataType::kUint8, 4));
  model::Node node = make_node("BitShift", {value, four}, "");
  node.set_attribute("direction", std::string(direction));
  return add_step(weight, node, edits);
}

std::string cast(const Weight& weight, const std::string& value, int64_t type, ModelEdits& edits) {
  model::Node node = make_node("Cast", {value}, "");
  node.set_attribute("to", type);
  return add_step(weight, node, edits);
}

/// The first half of the values along an axis in the low bits, the second in the high ones.
std::vector<uint8_t> fold_in_half(const Nibbles& nibbles, size_t axis) {
  size_t inner = 1;
  for (size_t i = axis; i < nibbles.shape.size(); ++i) inner *= nibbles.shape[i];
  const size_t half = inner / 2;
  std::vector<uint8_t> packed;
  packed.reserve(nibbles.values.size() / 2);
  for (size_t first = 0; first < nibbles.values.size(); first += inner) {
    for (size_t i = first; i < first + half; ++i) {
      packed.push_back(static_cast<uint8_t>(nibbles.values[i] | (nibbles.values[i + half] << 4)));
    }
  }
  return packed;
}

/// Neighbours along each row in one byte.
std::vector<uint8_t> pair_up(const std::vector<uint8_t>& values, size_t row) {
  return pack_nibbles(values.size(), row, [&](size_t i) { return int{values[i]}; });
}

size_t leading(const Weight& weight, size_t axes) {
  size_t count = 1;
  for (size_t i = 0; i < axes; ++i) count *= weight.dim(i);
  return count;
}

/// A weight seen as rows for blocks; width 0 if it cannot be.
size_t row_width(const Weight& weight) {
  for (size_t axis = 1; axis < weight.rank(); ++axis) {
    const size_t width = weight.values().size() / leading(weight, axis);
    if (leading(weight, axis) > 1) return width % kStoredBlock == 0 ? width : 0;
  }
  return 0;
}

}  // namespace

std::string add_nibbles(const Weight& weight, const Nibbles& nibbles, ModelEdits& edits) {
  const auto even = std::find_if(nibbles.shape.begin(), nibbles.shape.end(),
                                 [](int64_t size) { return size % 2 == 0; });
  if (even == nibbles.shape.end() || edits.opset() < kInt4StorageOpset) {
    return edits.add_constant(weight, nibbles.suffix, bytes_tensor(nibbles.shape, nibbles.values));
  }
  const auto axis = even - nibbles.shape.begin();
  std::vector<int64_t> shape = nibbles.shape;
  shape[static_cast<size_t>(axis)] /= 2;
  const std::string stored = edits.add_constant(
      weight, nibbles.suffix,
      bytes_tensor(std::move(shape), fold_in_half(nibbles, static_cast<size_t>(axis))));
  const std::string high = shift(weight, stored, "RIGHT", edits);
  const std::string low = shift(weight, shift(weight, stored, "LEFT", edits), "RIGHT", edits);
  model::Node concat = make_node("Concat", {low, high}, "");
  concat.set_attribute("axis", static_cast<int64_t>(axis));
  return add_step(weight, concat, edits);
}

std::string add_steps(const Weight& weight, const StoredSteps& steps, ModelEdits& edits) {
  const bool small = std::all_of(steps.factors.begin(), steps.factors.end(),
                                 [](uint8_t factor) { return factor < 16; });
  const std::string stored =
      small ? add_nibbles(weight, {"_factors", steps.shape, steps.factors}, edits)
            : edits.add_constant(weight, "_factors", bytes_tensor(steps.shape, steps.factors));
  const std::string scales =
      add_floats(weight, {"_scale", {steps.shape[0], 1}, steps.scales}, edits);
  const std::string factors = cast(weight, stored, static_cast<int64_t>(DataType::kFloat), edits);
  return add_step(weight, make_node("Mul", {factors, scales}, ""), edits);
}

std::string add_int4_columns(const Weight& weight, const Int4Columns& fitted,
                             const std::vector<int8_t>& rounded, ModelEdits& edits) {
  const int64_t columns = weight.constant.shape[1];
  const auto block = static_cast<int64_t>(fitted.grid.rows_per_group);
  const int64_t blocks = weight.constant.shape[0] / block;
  std::vector<uint8_t> stored(rounded.size());
  std::transform(rounded.begin(), rounded.end(), stored.begin(),
                 [](int8_t q) { return static_cast<uint8_t>(q + kMiddle); });
  const std::string q =
      cast(weight, add_nibbles(weight, {"_int4", {blocks, block, columns}, stored}, edits),
           kOnnxInt8, edits);
  const std::string factors =
      cast(weight, add_nibbles(weight, {"_factors", {blocks, 1, columns}, fitted.factors}, edits),
           kOnnxInt8, edits);
  const std::string middle =
      edits.shared_constant(weight, "_middle", scalar<int8_t>(DataType::kInt8, kMiddle));
  const std::string centred = add_step(weight, make_node("Sub", {q, middle}, ""), edits);
  const std::string product = add_step(weight, make_node("Mul", {centred, factors}, ""), edits);
  const std::string shape =
      edits.shared_constant(weight, fmt::format("_shape_{}", fmt::join(weight.constant.shape, "_")),
                            make_int64_tensor({2}, weight.constant.shape));
  return add_step(weight, make_node("Reshape", {product, shape}, ""), edits);
}

bool has_int4_rows(const Weight& weight) { return weight.dim(1) % kRowBlock == 0; }

LayerQuantization store_int4_rows(const Weight& weight, ModelEdits& edits) {
  const int64_t rows = weight.constant.shape[0];
  const int64_t width = weight.constant.shape[1];
  const int64_t blocks = width / static_cast<int64_t>(kRowBlock);
  const Int4Rows fitted =
      fit_int4_rows(weight.values(), weight.dim(1), kRowBlock, weight.scale_choice());
  const std::string values = edits.add_constant(
      weight, "_int4", bytes_tensor({rows, width / 2}, pair_up(fitted.values, weight.dim(1))));
  const std::string steps =
      add_steps(weight, {{rows, blocks}, fitted.factors, fitted.scales}, edits);
  const std::string zeros = edits.add_constant(
      weight, "_zeros",
      bytes_tensor({rows, (blocks + 1) / 2}, pair_up(fitted.zeros, static_cast<size_t>(blocks))));
  for (const WeightReader& reader : weight.readers) {
    model::Node node =
        make_node("GatherBlockQuantized", {values, reader.node->inputs[1], steps, zeros},
                  reader.node->outputs[0]);
    node.domain = "com.microsoft";
    node.set_attribute("bits", int64_t{4});
    node.set_attribute("block_size", static_cast<int64_t>(kRowBlock));
    node.set_attribute("gather_axis", int64_t{0});
    node.set_attribute("quantize_axis", int64_t{1});
    edits.replace(reader, {std::move(node)});
  }
  edits.remove_constant(weight);
  return {layer_name(weight), weight.name, "int4 block 32 of a row",
          static_cast<int64_t>(weight.values().size()), decibels(fitted.signal, fitted.noise)};
}

bool has_int4_blocks(const Weight& weight) { return row_width(weight) > 0; }

LayerQuantization store_int4(const Weight& weight, ModelEdits& edits) {
  const size_t width = row_width(weight);
  const Int4Rows fitted =
      fit_int4_rows(weight.values(), width, kStoredBlock, weight.scale_choice());
  const auto rows = static_cast<int64_t>(weight.values().size() / width);
  const auto blocks = static_cast<int64_t>(width / kStoredBlock);
  const int64_t block = kStoredBlock;
  const auto floats = [&](const Nibbles& nibbles) {
    return cast(weight, add_nibbles(weight, nibbles, edits), static_cast<int64_t>(DataType::kFloat),
                edits);
  };
  const std::string q = floats({"_int4", {rows * blocks, block, 1}, fitted.values});
  const std::string zeros = floats({"_zeros", {rows * blocks, 1, 1}, fitted.zeros});
  const std::string steps =
      add_steps(weight, {{rows, blocks}, fitted.factors, fitted.scales}, edits);
  const std::string column = edits.add_constant(
      weight, "_column", make_int64_tensor({3}, std::vector<int64_t>{rows * blocks, 1, 1}));
  const std::string tall = add_step(weight, make_node("Reshape", {steps, column}, ""), edits);
  const std::string centred = add_step(weight, make_node("Sub", {q, zeros}, ""), edits);
  const std::string product = add_step(weight, make_node("Mul", {centred, tall}, ""), edits);
  const auto rank = static_cast<int64_t>(weight.rank());
  const std::string shape =
      edits.add_constant(weight, "_shape", make_int64_tensor({rank}, weight.constant.shape));
  edits.add_first(weight, make_node("Reshape", {product, shape}, weight.name));
  edits.remove_constant(weight);
  return {layer_name(weight), weight.name, "int4 block 16, stored only",
          static_cast<int64_t>(weight.values().size()), decibels(fitted.signal, fitted.noise)};
}

model::Constant after_int4(const Weight& weight) {
  const bool is_table = is_embedding(weight);
  const size_t width = is_table ? weight.dim(1) : row_width(weight);
  const size_t block_size = is_table ? kRowBlock : kStoredBlock;
  const Int4Rows fitted = fit_int4_rows(weight.values(), width, block_size, weight.scale_choice());
  std::vector<float> values(fitted.values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t block = i / block_size;
    const float step = fitted.scales[i / width] * static_cast<float>(fitted.factors[block]);
    values[i] = step * static_cast<float>(fitted.values[i] - fitted.zeros[block]);
  }
  return model::make_constant(weight.name, make_float_tensor(weight.constant.shape, values));
}

}  // namespace wattwise::quantize
