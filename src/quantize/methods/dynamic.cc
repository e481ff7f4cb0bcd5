// SPDX-License-Identifier: Apache-2.0
// int8 weights; activations are quantized when they are computed.
//
//   MatMul(x, W)      becomes  DynamicQuantizeMatMul(x, W8, scale per column), an operator of ONNX
//                     Runtime that quantizes x to uint8 and multiplies in integers;
//   LSTM(x, W, R)     becomes  DynamicQuantizeLSTM, which does the same for x and for its state;
//   Gather(W, i)      gathers int8 rows and unpacks them;
//   any other         keeps float arithmetic and reads W through Cast x scale: integer convolution
//                     with run-time ranges is slower than float on every processor measured.
//
// Weights obey the pair rule of kernels.h, so that processors without VNNI give the same answer.
#include "quantize/methods/methods.h"
#include "quantize/store_half.h"
#include "quantize/store_int8.h"

namespace wattwise::quantize {
namespace {

LayerQuantization multiply_in_integers(const Weight& weight, ModelEdits& edits) {
  const ChannelLayout layout{weight.dim(0), weight.dim(1), 1};
  const Int8Weights quantized = quantize_int8_pairs(weight.values(), weight.dim(0), weight.dim(1));
  const std::string values = edits.add_constant(weight, "_int8", int8_tensor(weight, quantized));
  const std::string scale =
      add_floats(weight, {"_scale", {weight.constant.shape[1]}, quantized.scales}, edits);
  for (const WeightReader& reader : weight.readers) {
    model::Node node = *reader.node;
    node.op_type = "DynamicQuantizeMatMul";
    node.domain = "com.microsoft";
    node.inputs = {reader.node->inputs[0], values, scale};
    edits.replace(reader, {std::move(node)});
  }
  edits.remove_constant(weight);
  return {layer_name(weight), weight.name, "int8 per column, dynamic activations",
          static_cast<int64_t>(weight.values().size()),
          weight_sqnr_db(weight.values(), quantized, layout)};
}

/// The weights of one gate matrix as DynamicQuantizeLSTM reads them: names of the constants.
struct PackedGates {
  std::string values, scales, zeros;
  double signal = 0;
  double noise = 0;
};

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
    const Int8Weights part = quantize_int8_pairs(columns, inputs, gates);
    for (size_t i = 0; i < columns.size(); ++i) {
      const float error = columns[i] - part.scales[i % gates] * part.values[i];
      packed.signal += columns[i] * columns[i];
      packed.noise += error * error;
    }
    all.values.insert(all.values.end(), part.values.begin(), part.values.end());
    all.scales.insert(all.scales.end(), part.scales.begin(), part.scales.end());
  }
  const auto size = [](size_t count) { return static_cast<int64_t>(count); };
  const std::vector<int8_t> zeros(directions);
  packed.values = edits.add_constant(weight, "_int8",
                                     {DataType::kInt8,
                                      {size(directions), size(inputs), size(gates)},
                                      Bytes::copy_of(std::span<const int8_t>(all.values)),
                                      {}});
  packed.scales =
      add_floats(weight, {"_scale", {size(directions), size(gates)}, all.scales}, edits);
  packed.zeros = edits.add_constant(
      weight, "_zero",
      {DataType::kInt8, {size(directions)}, Bytes::copy_of(std::span<const int8_t>(zeros)), {}});
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

LayerQuantization quantize_one(const Weight& weight, ModelEdits& edits, MethodOutcome& outcome) {
  if (is_embedding(weight)) {
    count_applied(outcome, "int8_embedding", weight.readers.size());
    return store_int8_rows(weight, edits);
  }
  if (is_matrix(weight)) {
    count_applied(outcome, "dynamic_int8_matmul", weight.readers.size());
    return multiply_in_integers(weight, edits);
  }
  return store_weight(weight, edits, outcome);
}

}  // namespace

Result<MethodOutcome> run_dynamic(model::Model& model, const MethodContext& context) {
  auto outcome =
      WATTWISE_TRY(quantize_weights(model, context, {"dynamic", quantize_one, quantize_lstm}));
  if (!outcome.applied.empty()) model.require_opset("com.microsoft", 1);
  return outcome;
}

}  // namespace wattwise::quantize
