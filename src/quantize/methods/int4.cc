// SPDX-License-Identifier: Apache-2.0
// 4-bit weights in blocks, rounded to nearest; with calibration data by GPTQ.
//
//   MatMul(x, W)   becomes, by the configuration's int4_arithmetic,
//                  "integer": DynamicQuantizeMatMul(x, W8, scale per column), as `dynamic` writes
//                    it, with W8 = factor of the block x W4, made by nodes that a runtime folds
//                    when it loads the model: blocks of 16, int8 speed. x is smoothed first where
//                    that pays.
//                  "float": MatMulNBits(x, W4, scales, zeros): blocks of 32, packed in memory too;
//                    x may be scaled by what it makes of rounding errors;
//   Gather(W, i)   becomes GatherBlockQuantized(W4, i, scales, zeros): blocks of 32;
//   any other      is stored in blocks of 16 where choose_int4.h lets it, else as int8, and
//                  unpacked at load.
#include <fmt/format.h>

#include "quantize/awq.h"
#include "quantize/choose_int4.h"
#include "quantize/cut_zeros.h"
#include "quantize/integer_matmul.h"
#include "quantize/methods/methods.h"
#include "quantize/product_bias.h"
#include "quantize/raise_opset.h"
#include "quantize/rounding_grids.h"
#include "quantize/smooth_inputs.h"
#include "quantize/store_half.h"
#include "quantize/store_int4.h"
#include "quantize/store_int8.h"

namespace wattwise::quantize {
namespace {

constexpr size_t kBlock = 32;
/// int8 activations inside the operator: the fastest of its modes on processors.
constexpr int64_t kInt8Accumulation = 4;
/// Weights whose unpacking, which takes about 8 bytes each for a moment, is a small thing.
constexpr int64_t kMostUnpacked = int64_t{64} << 20;
constexpr int64_t kBytesWhileUnpacked = 8;
constexpr std::string_view kInt4MatMul = "int4_matmul";

int64_t count_of(const Weight& weight) { return static_cast<int64_t>(weight.values().size()); }

LayerQuantization multiply_nbits(const Weight& weight, const Int4Grid& fitted,
                                 const RoundedMatrix& rounded, ModelEdits& edits) {
  const Int4Blocks quantized = pack_int4(rounded.values, fitted.grid);
  const int64_t rows = weight.constant.shape[0];
  const int64_t columns = weight.constant.shape[1];
  const auto blocks = static_cast<int64_t>(quantized.blocks_per_column);
  const auto bytes = [](const std::vector<uint8_t>& data) {
    return Bytes::view_of(std::span<const uint8_t>(data));
  };
  const std::string values = edits.add_constant(
      weight, "_int4",
      {DataType::kUint8, {columns, blocks, int64_t{kBlock / 2}}, bytes(quantized.packed), {}});
  const std::string scales =
      add_steps(weight, {{columns, blocks}, fitted.factors, fitted.column_scales}, edits);
  const std::string zeros = edits.add_constant(
      weight, "_zeros",
      {DataType::kUint8, {columns * ((blocks + 1) / 2)}, bytes(quantized.zeros), {}});
  for (const WeightReader& reader : weight.readers) {
    model::Node node = *reader.node;
    node.op_type = "MatMulNBits";
    node.domain = "com.microsoft";
    node.inputs = {reader.node->inputs[0], values, scales, zeros};
    node.set_attribute("K", rows);
    node.set_attribute("N", columns);
    node.set_attribute("bits", int64_t{4});
    node.set_attribute("block_size", static_cast<int64_t>(kBlock));
    node.set_attribute("accuracy_level", kInt8Accumulation);
    edits.replace(reader, {std::move(node)});
    if (!rounded.bias_change.empty()) change_bias(weight, reader, rounded.bias_change, edits);
  }
  edits.remove_constant(weight);
  return {layer_name(weight), weight.name, "int4 block 32", count_of(weight),
          weight_sqnr_db(weight.values(), rounded.values, fitted.grid)};
}

LayerQuantization multiply_unpacked(const Weight& weight, const Int4Columns& fitted,
                                    const RoundedMatrix& rounded, ModelEdits& edits) {
  const std::string values = add_int4_columns(weight, fitted, rounded.values, edits);
  const std::string scale =
      add_floats(weight, {"_scale", {weight.constant.shape[1]}, fitted.scales}, edits);
  multiply_in_integers(weight, {values, scale, rounded.bias_change}, edits);
  return {layer_name(weight), weight.name,
          fmt::format("int4 block {}, dynamic activations", fitted.grid.rows_per_group),
          count_of(weight), weight_sqnr_db(weight.values(), rounded.values, fitted.grid)};
}

/// The block of a matrix that is unpacked to int8; 0 for those that are not.
template <bool kIntegers>
size_t unpacked_block(const Weight& weight) {
  return kIntegers ? int4_column_block(weight.dim(0)) : 0;
}

/// The grid of a matrix that stays packed.
RoundingGrid packed_grid(Floats weights, size_t rows) {
  return int4_grid(weights, rows, weights.size() / rows, kBlock).grid;
}

RoundedMatrix nearest(const Weight& weight, const RoundingGrid& grid) {
  return {round_to_nearest(weight.values(), grid), {}, {}, {}};
}

template <bool kIntegers>
LayerQuantization quantize_matrix(const Weight& weight, ModelEdits& edits) {
  if (const size_t block = unpacked_block<kIntegers>(weight); block > 0) {
    const Int4Columns fitted =
        fit_int4_columns(weight.values(), {weight.dim(1), block, weight.scale_choice()});
    return multiply_unpacked(weight, fitted, nearest(weight, fitted.grid), edits);
  }
  const Int4Grid fitted = int4_grid(weight.values(), weight.dim(0), weight.dim(1), kBlock);
  return multiply_nbits(weight, fitted, nearest(weight, fitted.grid), edits);
}

LayerQuantization quantize_embedding(const Weight& weight, ModelEdits& edits,
                                     MethodOutcome& outcome) {
  if (weight.share >= kWorthwhileShare && has_int4_rows(weight)) {
    count_applied(outcome, "int4_embedding", weight.readers.size());
    return store_int4_rows(weight, edits);
  }
  outcome.decisions.push_back(
      {"quantize_int8", weight.name,
       has_int4_rows(weight) ? fmt::format("a table with {:.1f} % of the weights loses more by 4 "
                                           "bits than it saves",
                                           weight.share * 100)
                             : "its rows cannot be cut in blocks of 32"});
  return store_table(weight, edits, outcome);
}

/// Weights of operators without integer arithmetic of their own.
LayerQuantization store_other(const Weight& weight, ModelEdits& edits, MethodOutcome& outcome) {
  if (!weight.may_take_4_bits) return store_weight(weight, edits, outcome);
  return store_without_zeros(weight, edits, [&](const Weight& cut, ModelEdits& to) {
    const bool in_4_bits = has_int4_blocks(cut);  // what is cut off may be half a block
    count_applied(outcome, in_4_bits ? "int4_stored_weights" : "int8_stored_weights",
                  weight.readers.size());
    return in_4_bits ? store_int4(cut, to) : store_int8(cut, to);
  });
}

template <bool kIntegers>
LayerQuantization quantize_to_int4(const Weight& weight, ModelEdits& edits,
                                   MethodOutcome& outcome) {
  if (is_embedding(weight)) return quantize_embedding(weight, edits, outcome);
  if (is_matrix(weight)) {
    count_applied(outcome, kInt4MatMul, weight.readers.size());
    return quantize_matrix<kIntegers>(weight, edits);
  }
  return store_other(weight, edits, outcome);
}

/// Rounds the matrices of a group by what multiplies them.
template <bool kIntegers>
void round_int4_group(const MatrixGroup& group, const InputStatistics& statistics,
                      ModelEdits& edits, MethodOutcome& outcome) {
  for (const Weight* weight : group.weights) {
    const Floats values = weight->values();
    const size_t columns = weight->dim(1);
    RoundingData data{statistics, weight->techniques};
    RoundedMatrix rounded;
    if (const size_t block = unpacked_block<kIntegers>(*weight); block > 0) {
      const Int4Columns fitted =
          fit_int4_columns(values, {columns, block, weight->scale_choice()}, row_importance(data));
      rounded = round_matrix(values, fitted.grid, data);
      outcome.layers.push_back(multiply_unpacked(*weight, fitted, rounded, edits));
    } else {
      const Int4Grid fitted = int4_grid(values, weight->dim(0), columns, kBlock);
      data.has_bias = all_have_biases(*weight);
      rounded = round_matrix(values, fitted.grid, data);
      outcome.layers.push_back(multiply_nbits(*weight, fitted, rounded, edits));
    }
    outcome.decisions.push_back({"round_by_inputs", weight->name, describe_gain(rounded)});
    count_applied(outcome, kInt4MatMul, weight->readers.size());
  }
}

/// How matrices are multiplied, and why.
struct Arithmetic {
  bool in_integers;
  std::string reason;
};

Arithmetic choose_arithmetic(model::Model& model, const QuantizationConfig& config) {
  if (config.int4_arithmetic != "auto") {
    return {config.int4_arithmetic == "integer", "the configuration's int4_arithmetic says so"};
  }
  std::vector<Decision> told_later;
  int64_t count = 0;
  for (const Weight& weight : find_weights(model, told_later)) {
    if (is_matrix(weight)) count += count_of(weight);
  }
  if (count > kMostUnpacked) {
    return {false, fmt::format("{} million weights would take {} MB while they are unpacked",
                               count >> 20, count * kBytesWhileUnpacked >> 20)};
  }
  if (config.objective == "size") {
    return {false,
            "the objective is size, and blocks with zero points err less for the same bytes"};
  }
  return {true, fmt::format("products of int8 take less time; {:.1f} million weights are unpacked",
                            static_cast<double>(count) / 1e6)};
}

}  // namespace

const WeightMethod kInt4Weights = {"int4", quantize_to_int4<false>, nullptr, choose_int4,
                                   round_int4_group<false>};
static const WeightMethod kIntegerInt4Weights = {"int4", quantize_to_int4<true>, nullptr,
                                                 choose_int4, round_int4_group<true>};

Result<MethodOutcome> run_int4(model::Model& model, const MethodContext& context) {
  auto [in_integers, why] = choose_arithmetic(model, context.config);
  MethodOutcome before;
  if (in_integers) {
    const OpsetGoal goal{kInt4Opset, "arithmetic of 8-bit integers"};
    if (const auto reached = raise_opset(model, goal, context, before); !reached) {
      in_integers = false;
      why = "unpacking needs a newer operator set: " + reached.error().message();
    }
  }
  const OpsetGoal storage{kInt4StorageOpset, "shifts, which unpack 4 bits"};
  if (const auto reached = raise_opset(model, storage, context, before); !reached) {
    before.decisions.push_back({"leave", "weights of convolutions", reached.error().message()});
  }
  if (in_integers && smooths_inputs(context)) {
    append(before, WATTWISE_TRY(smooth_inputs(model, context)));
  }
  if (!in_integers && scales_by_awq(context)) {
    append(before, WATTWISE_TRY(scale_by_awq(model, context, packed_grid)));
  }
  auto outcome = WATTWISE_TRY(
      quantize_weights(model, context, in_integers ? kIntegerInt4Weights : kInt4Weights));
  if (!outcome.applied.empty()) model.require_opset("com.microsoft", 1);
  append(outcome, before);
  outcome.decisions.push_back(
      {"compute", "int4",
       (in_integers ? "matrices are unpacked to int8 at load and multiply in integers: "
                    : "matrices stay packed, as MatMulNBits reads them: ") +
           why});
  return outcome;
}

}  // namespace wattwise::quantize
