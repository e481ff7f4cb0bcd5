// SPDX-License-Identifier: Apache-2.0
// 4-bit weights in blocks of 32 with a scale and a zero point each, rounded to nearest; with
// calibration data by GPTQ.
//
//   MatMul(x, W)   becomes  MatMulNBits(x, W4, scales, zeros), an operator of ONNX Runtime;
//   Gather(W, i)   gathers int8 rows: embeddings lose more by 4 bits than they save;
//   any other      is stored as int8 and unpacked at load.
#include "quantize/methods/methods.h"
#include "quantize/rounding_grids.h"
#include "quantize/store_int8.h"

namespace wattwise::quantize {
namespace {

constexpr size_t kBlock = 32;
/// int8 activations inside the operator: the fastest of its modes on processors.
constexpr int64_t kInt8Accumulation = 4;

LayerQuantization multiply_nbits(const Weight& weight, const Int4Blocks& quantized, double sqnr_db,
                                 ModelEdits& edits) {
  const size_t rows = weight.dim(0);
  const size_t columns = weight.dim(1);
  const auto blocks = static_cast<int64_t>(quantized.blocks_per_column);
  const auto n = static_cast<int64_t>(columns);
  const auto bytes = [](const std::vector<uint8_t>& data) {
    return Bytes::view_of(std::span<const uint8_t>(data));
  };
  const std::string values = edits.add_constant(
      weight, "_int4",
      {DataType::kUint8, {n, blocks, int64_t{kBlock / 2}}, bytes(quantized.packed), {}});
  const std::string scales =
      edits.add_constant(weight, "_scales", make_float_tensor({n * blocks}, quantized.scales));
  const std::string zeros = edits.add_constant(
      weight, "_zeros", {DataType::kUint8, {n * ((blocks + 1) / 2)}, bytes(quantized.zeros), {}});
  for (const WeightReader& reader : weight.readers) {
    model::Node node = *reader.node;
    node.op_type = "MatMulNBits";
    node.domain = "com.microsoft";
    node.inputs = {reader.node->inputs[0], values, scales, zeros};
    node.set_attribute("K", static_cast<int64_t>(rows));
    node.set_attribute("N", n);
    node.set_attribute("bits", int64_t{4});
    node.set_attribute("block_size", static_cast<int64_t>(kBlock));
    node.set_attribute("accuracy_level", kInt8Accumulation);
    edits.replace(reader, {std::move(node)});
  }
  edits.remove_constant(weight);
  return {layer_name(weight), weight.name, "int4 block 32",
          static_cast<int64_t>(weight.values().size()), sqnr_db};
}

LayerQuantization quantize_one(const Weight& weight, ModelEdits& edits, MethodOutcome& outcome) {
  if (is_embedding(weight)) {
    count_applied(outcome, "int8_embedding", weight.readers.size());
    outcome.decisions.push_back(
        {"quantize_int8", weight.name, "an embedding loses more by 4 bits than it saves"});
    return store_int8_rows(weight, edits);
  }
  if (is_matrix(weight)) {
    count_applied(outcome, kInt4MatMul, weight.readers.size());
    const Int4Blocks nearest = quantize_int4(weight.values(), weight.dim(0), weight.dim(1), kBlock);
    return multiply_nbits(weight, nearest, decibels(nearest.signal, nearest.noise), edits);
  }
  outcome.decisions.push_back({"quantize_int8", weight.name,
                               "4-bit blocks exist for MatMul only; " +
                                   weight.readers.front().node->op_type + " reads this weight"});
  return store_weight(weight, edits, outcome);
}

/// Rounds the matrices of a group by what multiplies them.
void round_group(const MatrixGroup& group, const InputStatistics& statistics, ModelEdits& edits,
                 MethodOutcome& outcome) {
  for (const Weight* weight : group.weights) {
    const size_t columns = weight->dim(1);
    const RoundingGrid grid = int4_grid(weight->values(), weight->dim(0), columns, kBlock);
    const RoundedMatrix rounded = round_matrix(weight->values(), grid, statistics);
    const Int4Blocks packed = pack_int4(rounded.values, grid);
    const double sqnr_db = weight_sqnr_db(weight->values(), packed, columns, kBlock);
    outcome.layers.push_back(multiply_nbits(*weight, packed, sqnr_db, edits));
    outcome.decisions.push_back({"round_by_gptq", weight->name, describe_gain(rounded)});
    count_applied(outcome, kInt4MatMul, weight->readers.size());
  }
}

}  // namespace

Result<MethodOutcome> run_int4(model::Model& model, const MethodContext& context) {
  auto outcome =
      WATTWISE_TRY(quantize_weights(model, context, {"int4", quantize_one, nullptr, round_group}));
  if (!outcome.applied.empty()) model.require_opset("com.microsoft", 1);
  return outcome;
}

}  // namespace wattwise::quantize
