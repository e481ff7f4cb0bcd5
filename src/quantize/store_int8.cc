// SPDX-License-Identifier: Apache-2.0
#include "quantize/store_int8.h"

#include <algorithm>

#include "optimize/graph_editor.h"

namespace wattwise::quantize {
namespace {

constexpr int64_t kOnnxFloat = 1;

using optimize::make_node;

/// The axis along which scales vary: the output channels of the operator that reads the weight.
size_t channel_axis(const Weight& weight) {
  const WeightReader& reader = weight.readers.front();
  const std::string& op = reader.node->op_type;
  const size_t last = weight.rank() - 1;
  if (op == "ConvTranspose") return std::min<size_t>(1, last);
  if (op == "Gemm") return reader.node->int_or("transB", 0) != 0 ? 0 : last;
  if (op == "MatMul") return reader.slot == 1 ? last : weight.rank() == 1 ? 0 : last - 1;
  if (op == "LSTM" || op == "GRU" || op == "RNN") return std::min<size_t>(1, last);
  return 0;
}

ChannelLayout layout_along(const Weight& weight, size_t axis) {
  ChannelLayout layout;
  layout.channels = weight.dim(axis);
  for (size_t i = 0; i < axis; ++i) layout.outer *= weight.dim(i);
  for (size_t i = axis + 1; i < weight.rank(); ++i) layout.inner *= weight.dim(i);
  return layout;
}

}  // namespace

bool is_matrix(const Weight& weight) {
  return weight.rank() == 2 && weight.only_read_by("MatMul", 1);
}

bool is_embedding(const Weight& weight) {
  return weight.rank() == 2 && weight.only_read_by("Gather", 0) &&
         std::all_of(weight.readers.begin(), weight.readers.end(), [](const WeightReader& reader) {
           return reader.node->int_or("axis", 0) == 0;
         });
}

std::string layer_name(const Weight& weight) {
  const model::Node& node = *weight.readers.front().node;
  return node.name.empty() ? node.op_type + " making " + node.outputs[0] : node.name;
}

Tensor int8_tensor(const Weight& weight, const Int8Weights& quantized) {
  return {DataType::kInt8,
          weight.constant.shape,
          Bytes::copy_of(std::span<const int8_t>(quantized.values)),
          {}};
}

LayerQuantization store_int8(const Weight& weight, ModelEdits& edits) {
  const size_t axis = channel_axis(weight);
  const ChannelLayout layout = layout_along(weight, axis);
  const Int8Weights quantized = quantize_int8(weight.values(), layout);
  std::vector<int64_t> scale_shape(weight.rank(), 1);
  scale_shape[axis] = static_cast<int64_t>(layout.channels);
  const std::string values = edits.add_constant(weight, "_int8", int8_tensor(weight, quantized));
  const std::string scale =
      edits.add_constant(weight, "_scale", make_float_tensor(scale_shape, quantized.scales));
  const std::string wide = edits.unique(weight.name + "_float");
  model::Node cast = make_node("Cast", {values}, wide);
  cast.set_attribute("to", kOnnxFloat);
  edits.add_first(weight, std::move(cast));
  edits.add_first(weight, make_node("Mul", {wide, scale}, weight.name));
  edits.remove_constant(weight);
  return {layer_name(weight), weight.name, "int8 per channel, stored only",
          static_cast<int64_t>(weight.values().size()),
          weight_sqnr_db(weight.values(), quantized, layout)};
}

LayerQuantization store_int8_rows(const Weight& weight, ModelEdits& edits) {
  const ChannelLayout layout{1, weight.dim(0), weight.dim(1)};
  const Int8Weights quantized = quantize_int8(weight.values(), layout);
  const std::string values = edits.add_constant(weight, "_int8", int8_tensor(weight, quantized));
  const std::string scale = edits.add_constant(
      weight, "_scale", make_float_tensor({weight.constant.shape[0], 1}, quantized.scales));
  for (const WeightReader& reader : weight.readers) {
    const std::string& ids = reader.node->inputs[1];
    const std::string& output = reader.node->outputs[0];
    const std::string rows = edits.unique(output + "_int8");
    const std::string wide = edits.unique(output + "_float");
    const std::string row_scale = edits.unique(output + "_scale");
    model::Node cast = make_node("Cast", {rows}, wide);
    cast.set_attribute("to", kOnnxFloat);
    edits.replace(reader, {make_node("Gather", {values, ids}, rows),
                           make_node("Gather", {scale, ids}, row_scale), std::move(cast),
                           make_node("Mul", {wide, row_scale}, output)});
  }
  edits.remove_constant(weight);
  return {layer_name(weight), weight.name, "int8 per row",
          static_cast<int64_t>(weight.values().size()),
          weight_sqnr_db(weight.values(), quantized, layout)};
}

void count_applied(MethodOutcome& outcome, std::string_view name, size_t count) {
  auto& applied = outcome.applied;
  auto it = std::find_if(applied.begin(), applied.end(),
                         [&](const AppliedOptimization& item) { return item.name == name; });
  if (it == applied.end()) it = applied.insert(it, {std::string(name), 0});
  it->node_count += static_cast<int64_t>(count);
}

Result<MethodOutcome> quantize_weights(model::Model& model, const MethodContext& context,
                                       const WeightMethod& method) {
  MethodOutcome outcome;
  const std::vector<Weight> weights = find_weights(model, outcome.decisions);
  ModelEdits edits(model);
  for (size_t i = 0; i < weights.size(); ++i) {
    WATTWISE_TRY(
        report_progress(context.progress, "quantizing weights",
                        0.3 + 0.3 * static_cast<double>(i) / static_cast<double>(weights.size())));
    outcome.layers.push_back(method.quantize_one(weights[i], edits, outcome));
  }
  edits.apply();
  return outcome;
}

}  // namespace wattwise::quantize
