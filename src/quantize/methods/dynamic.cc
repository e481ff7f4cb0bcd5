// SPDX-License-Identifier: Apache-2.0
// int8 weights; activations are quantized when they are computed.
//
//   MatMul(x, W)      becomes  DynamicQuantizeMatMul(x, W8, scale per column), an operator of ONNX
//                     Runtime that quantizes x to uint8, multiplies in integers, and adds a
//                     constant bias that follows; several that read the same x share its rounding
//                     (round_inputs.h);
//   LSTM(x, W, R)     becomes  DynamicQuantizeLSTM, which does the same for x and for its state;
//   Gather(W, i)      gathers int8 rows and unpacks them, or reads a small W as any other;
//   any other         keeps float arithmetic and reads W through Cast x scale: integer convolution
//                     with run-time ranges is slower than float on every processor measured.
//
// With calibration data and the techniques for it, x is smoothed first where that pays, W is
// rounded by GPTQ, and the bias takes back what that adds to the mean. Weights
// obey the pair rule of kernels.h, so that processors without VNNI give the same answer, unless
// the caller wants the full range.
#include <fmt/format.h>

#include "quantize/float_products.h"
#include "quantize/integer_matmul.h"
#include "quantize/methods/methods.h"
#include "quantize/rounding_grids.h"
#include "quantize/smooth_inputs.h"
#include "quantize/store_half.h"
#include "quantize/store_int8.h"

namespace wattwise::quantize {
namespace {

constexpr std::string_view kDynamicMatMul = "dynamic_int8_matmul";

LayerQuantization multiply_int8(const Weight& weight, Int8Weights quantized,
                                const std::vector<float>& bias_change, ModelEdits& edits) {
  const double sqnr_db =
      weight_sqnr_db(weight.values(), quantized, {weight.dim(0), weight.dim(1), 1});
  const std::string values =
      edits.add_constant(weight, "_int8", int8_tensor(weight, std::move(quantized.values)));
  const std::string scale =
      add_floats(weight, {"_scale", {weight.constant.shape[1]}, quantized.scales}, edits);
  multiply_in_integers(weight, {values, scale, bias_change}, edits);
  return {layer_name(weight), weight.name,
          fmt::format("int8 per {}, dynamic activations", weight.one_scale ? "tensor" : "column"),
          static_cast<int64_t>(weight.values().size()), sqnr_db};
}

/// The weights of one gate matrix as DynamicQuantizeLSTM reads them: names of the constants.
struct PackedGates {
  std::string values, scales, zeros;
  double signal = 0;
  double noise = 0;
};

/// Zero points of the gates: where there are two directions, the operator steps through them as it
/// does through the scales, and reads on behind them if there is but one for each direction.
std::string add_zeros(const Weight& weight, ModelEdits& edits) {
  const std::vector<int64_t>& shape = weight.constant.shape;
  const bool is_one_way = shape[0] == 1;
  const std::vector<int8_t> zeros(is_one_way ? 1 : weight.dim(0) * weight.dim(1));
  const Tensor tensor{
      DataType::kInt8,
      is_one_way ? std::vector<int64_t>{1} : std::vector<int64_t>{shape[0], shape[1]},
      Bytes::copy_of(std::span<const int8_t>(zeros)),
      {}};
  if (is_one_way) return edits.add_constant(weight, "_zero", tensor);
  return edits.shared_constant(weight, fmt::format("_zeros_of_{}", shape[1]), tensor);
}

/// [directions, gates, inputs] as the operator wants it: [directions, inputs, gates].
PackedGates pack_gates(const Weight& weight, ModelEdits& edits) {
  const size_t directions = weight.dim(0);
  const size_t gates = weight.dim(1);
  const size_t inputs = weight.dim(2);
  PackedGates packed;
  Int8Weights all;
  std::vector<float> columns(inputs * gates);
  for (size_t d = 0; d < directions; ++d) {
    const Floats rows = weight.values().subspan(d * columns.size(), columns.size());
    for (size_t i = 0; i < inputs; ++i) {
      for (size_t g = 0; g < gates; ++g) columns[i * gates + g] = rows[g * inputs + i];
    }
    const Int8Weights part = quantize_matrix(
        columns, {inputs, gates, weight.range, weight.scale_choice(), weight.one_scale});
    for (size_t i = 0; i < columns.size(); ++i) {
      const float error = columns[i] - part.scales[i % gates] * part.values[i];
      packed.signal += columns[i] * columns[i];
      packed.noise += error * error;
    }
    all.values.insert(all.values.end(), part.values.begin(), part.values.end());
    all.scales.insert(all.scales.end(), part.scales.begin(), part.scales.end());
  }
  const auto size = [](size_t count) { return static_cast<int64_t>(count); };
  packed.values = edits.add_constant(weight, "_int8",
                                     {DataType::kInt8,
                                      {size(directions), size(inputs), size(gates)},
                                      Bytes::own(std::move(all.values)),
                                      {}});
  packed.scales =
      add_floats(weight, {"_scale", {size(directions), size(gates)}, all.scales}, edits);
  packed.zeros = add_zeros(weight, edits);
  edits.remove_constant(weight);
  return packed;
}

LayerQuantization quantize_lstm(const Weight& input, const Weight& recurrence, ModelEdits& edits,
                                MethodOutcome& outcome) {
  const PackedGates w = pack_gates(input, edits);
  const PackedGates r = pack_gates(recurrence, edits);
  const WeightReader& reader = input.readers.front();
  model::Node node = *reader.node;
  node.op_type = "DynamicQuantizeLSTM";
  node.domain = "com.microsoft";
  // 0, the only layout that comes here, is the only one of this operator, which lacks the
  // attribute.
  std::erase_if(node.attributes, [](const auto& attribute) { return attribute.name == "layout"; });
  node.inputs[1] = w.values;
  node.inputs[2] = r.values;
  node.inputs.resize(8);  // the peepholes are the last that LSTM may have
  for (const std::string& name : {w.scales, w.zeros, r.scales, r.zeros}) {
    node.inputs.push_back(name);
  }
  edits.replace(reader, {std::move(node)});
  count_applied(outcome, "dynamic_int8_lstm", 1);
  return {layer_name(input), input.name, "int8 per gate, dynamic activations",
          static_cast<int64_t>(input.values().size() + recurrence.values().size()),
          decibels(w.signal + r.signal, w.noise + r.noise)};
}

LayerQuantization quantize_to_int8(const Weight& weight, ModelEdits& edits,
                                   MethodOutcome& outcome) {
  if (is_embedding(weight)) return store_table(weight, edits, outcome);
  if (is_matrix(weight)) {
    count_applied(outcome, kDynamicMatMul, weight.readers.size());
    return multiply_int8(weight, quantize_matrix(weight.values(), matrix_shape(weight)), {}, edits);
  }
  return store_weight(weight, edits, outcome);
}

/// Rounds the matrices of a group by what multiplies them.
void round_group(const MatrixGroup& group, const InputStatistics& statistics, ModelEdits& edits,
                 MethodOutcome& outcome) {
  for (const Weight* weight : group.weights) {
    const RoundingGrid grid = matrix_grid(weight->values(), matrix_shape(*weight));
    RoundedMatrix rounded = round_matrix(weight->values(), grid, {statistics, weight->techniques});
    outcome.decisions.push_back({"round_by_inputs", weight->name, describe_gain(rounded)});
    outcome.layers.push_back(multiply_int8(*weight, {std::move(rounded.values), grid.steps},
                                           rounded.bias_change, edits));
    count_applied(outcome, kDynamicMatMul, weight->readers.size());
  }
}

Result<void> leave_small_products(const model::Model& /*model*/, std::vector<Weight>& weights,
                                  const MethodContext& context, MethodOutcome& outcome) {
  const IntegerProducts products{"dynamic", Format::kDynamic, true};
  keep_float_where_faster(context, products, weights, outcome.decisions);
  tell_slow_products(context, products, weights, outcome.decisions);
  return {};
}

}  // namespace

const WeightMethod kDynamicWeights = {"dynamic", quantize_to_int8, quantize_lstm,
                                      leave_small_products, round_group};

Result<MethodOutcome> run_dynamic(model::Model& model, const MethodContext& context) {
  DividedModel smoothed;
  if (smooths_inputs(context)) {
    smoothed = WATTWISE_TRY(smooth_inputs(model, context, wanted_detail(context)));
  }
  auto outcome =
      WATTWISE_TRY(quantize_weights(model, context, kDynamicWeights, smoothed.statistics));
  if (!outcome.applied.empty()) model.require_opset("com.microsoft", 1);
  append(outcome, smoothed.outcome);
  return outcome;
}

}  // namespace wattwise::quantize
