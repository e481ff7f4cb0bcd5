// SPDX-License-Identifier: Apache-2.0
#include "quantize/store_int8.h"

#include <algorithm>
#include <optional>

#include "optimize/graph_editor.h"
#include "quantize/cut_zeros.h"
#include "quantize/fit_int8.h"
#include "quantize/store_half.h"

namespace wattwise::quantize {
namespace {

/// What one more bit of every integer gains.
constexpr double kDbOfBit = 6.02;
constexpr double kBitsOfScale = 16;
constexpr double kHalfNoiseDb = 3;

/// Memory that time is worth: a table of so many bytes in floats is not unpacked row by row.
constexpr size_t kSmallTableBytes = size_t{1} << 20;

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

/// How a weight is cut for storing: what the kernel sees, and the shapes of what is kept.
struct Form {
  PartedLayout layout;
  std::vector<int64_t> shape;        ///< of the integers
  std::vector<int64_t> scale_shape;  ///< of the scales, which multiply them
};

Form form_along(const Weight& weight, size_t axis) {
  Form form{{1, {}, weight.scale_choice()},
            weight.constant.shape,
            std::vector<int64_t>(weight.rank(), 1)};
  ChannelLayout& layout = form.layout.channels;
  layout.channels = weight.dim(axis);
  for (size_t i = 0; i < axis; ++i) layout.outer *= weight.dim(i);
  for (size_t i = axis + 1; i < weight.rank(); ++i) layout.inner *= weight.dim(i);
  form.scale_shape[axis] = static_cast<int64_t>(layout.channels);
  return form;
}

/// The same with a scale for about every `size_of_part` weights of a channel; absent where its
/// weights do not lie in a row or a column or cannot be cut evenly.
std::optional<Form> parted(const Form& whole, size_t size_of_part) {
  const ChannelLayout& layout = whole.layout.channels;
  if (layout.outer > 1 && layout.inner > 1) return std::nullopt;
  const Parts parts = parts_of(std::max(layout.outer, layout.inner), size_of_part);
  if (parts.count == 1) return std::nullopt;
  const auto count = static_cast<int64_t>(parts.count);
  const auto size = static_cast<int64_t>(parts.size);
  const auto channels = static_cast<int64_t>(layout.channels);
  const ScaleChoice choice = whole.layout.choice;
  if (layout.inner > 1) {
    return Form{{1, {1, layout.channels * parts.count, parts.size}, choice},
                {channels * count, size},
                {channels * count, 1}};
  }
  return Form{{parts.count, {parts.size, layout.channels, 1}, choice},
              {count, size, channels},
              {count, 1, channels}};
}

struct Fitting {
  Form form;
  FittedInt8 fitted;
};

/// The scales of a weight: one for each channel, and finer ones as long as they halve the noise or,
/// where accuracy is worth that, gain what their bytes would gain as bits of the integers.
Fitting fit(const Weight& weight) {
  const Form whole = form_along(weight, channel_axis(weight));
  Fitting best{whole, fit_int8(weight.values(), whole.layout)};
  size_t scales = best.fitted.quantized.scales.size();
  for (const size_t size : {128, 64, 32}) {
    const std::optional<Form> form = parted(whole, size);
    if (!form) continue;
    Fitting trial{*form, fit_int8(weight.values(), form->layout)};
    const size_t count = trial.fitted.quantized.scales.size();
    const double more_bits = static_cast<double>(count - scales) * kBitsOfScale /
                             static_cast<double>(weight.values().size());
    const double worth_db = weight.fine_scales ? more_bits * kDbOfBit : kHalfNoiseDb;
    if (trial.fitted.sqnr_db() < best.fitted.sqnr_db() + worth_db) break;
    best = std::move(trial);
    scales = count;
  }
  return best;
}

Tensor tensor_of(std::vector<int64_t> shape, std::vector<int8_t> values) {
  return {DataType::kInt8, std::move(shape), Bytes::own(std::move(values)), {}};
}

bool is_unpacked_by_row(const Weight& weight) {
  return is_embedding(weight) && weight.constant.data.size() > kSmallTableBytes;
}

}  // namespace

std::vector<float> int8_errors(const Weight& weight) {
  const PartedLayout rows{
      1, {1, weight.dim(0), weight.values().size() / weight.dim(0)}, weight.scale_choice()};
  const auto [form, fitted] = is_unpacked_by_row(weight)
                                  ? Fitting{{rows, {}, {}}, fit_int8(weight.values(), rows)}
                                  : fit(weight);
  const ChannelLayout& layout = form.layout.channels;
  const Floats values = weight.values();
  std::vector<float> errors(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t line = i / layout.inner;
    const size_t part = line / (layout.channels * layout.outer);
    const float scale = fitted.quantized.scales[part * layout.channels + line % layout.channels];
    errors[i] = scale * fitted.quantized.values[i] - values[i];
  }
  return errors;
}

bool is_matrix(const Weight& weight) {
  return weight.rank() == 2 && !weight.keeps_float && weight.only_read_by("MatMul", 1);
}

bool is_embedding(const Weight& weight) {
  return weight.rank() == 2 && weight.only_read_by("Gather", 0) &&
         std::all_of(weight.readers.begin(), weight.readers.end(), [](const WeightReader& reader) {
           return reader.node->int_or("axis", 0) == 0;
         });
}

std::string layer_name(const Weight& weight) { return layer_name(*weight.readers.front().node); }

std::string layer_name(const model::Node& node) {
  return node.name.empty() ? node.op_type + " making " + node.outputs[0] : node.name;
}

Tensor int8_tensor(const Weight& weight, std::vector<int8_t> values) {
  return tensor_of(weight.constant.shape, std::move(values));
}

LayerQuantization store_int8(const Weight& weight, ModelEdits& edits) {
  auto [form, fitted] = fit(weight);
  const bool is_parted = form.shape != weight.constant.shape;
  const std::string values = edits.add_constant(
      weight, "_int8", tensor_of(form.shape, std::move(fitted.quantized.values)));
  const std::string scale =
      add_floats(weight, {"_scale", form.scale_shape, fitted.quantized.scales}, edits);
  const std::string wide = edits.unique(weight.name + "_float");
  model::Node cast = make_node("Cast", {values}, wide);
  cast.set_attribute("to", static_cast<int64_t>(DataType::kFloat));
  edits.add_first(weight, std::move(cast));
  const std::string product = is_parted ? edits.unique(weight.name + "_parts") : weight.name;
  edits.add_first(weight, make_node("Mul", {wide, scale}, product));
  if (is_parted) {
    const auto& shape = weight.constant.shape;
    const std::string whole = edits.add_constant(
        weight, "_shape", make_int64_tensor({static_cast<int64_t>(shape.size())}, shape));
    edits.add_first(weight, make_node("Reshape", {product, whole}, weight.name));
  }
  edits.remove_constant(weight);
  return {layer_name(weight), weight.name,
          is_parted ? "int8 in parts of a channel, stored only" : "int8 per channel, stored only",
          static_cast<int64_t>(weight.values().size()), fitted.sqnr_db()};
}

namespace {

LayerQuantization store_int8_rows(const Weight& weight, ModelEdits& edits) {
  FittedInt8 fitted =
      fit_int8(weight.values(), {1, {1, weight.dim(0), weight.dim(1)}, weight.scale_choice()});
  const std::string values =
      edits.add_constant(weight, "_int8", int8_tensor(weight, std::move(fitted.quantized.values)));
  const std::string scale =
      add_floats(weight, {"_scale", {weight.constant.shape[0], 1}, fitted.quantized.scales}, edits);
  for (const WeightReader& reader : weight.readers) {
    const std::string& ids = reader.node->inputs[1];
    const std::string& output = reader.node->outputs[0];
    const std::string rows = edits.unique(output + "_int8");
    const std::string wide = edits.unique(output + "_float");
    const std::string row_scale = edits.unique(output + "_scale");
    model::Node cast = make_node("Cast", {rows}, wide);
    cast.set_attribute("to", static_cast<int64_t>(DataType::kFloat));
    edits.replace(reader, {make_node("Gather", {values, ids}, rows),
                           make_node("Gather", {scale, ids}, row_scale), std::move(cast),
                           make_node("Mul", {wide, row_scale}, output)});
  }
  edits.remove_constant(weight);
  return {layer_name(weight), weight.name, "int8 per row",
          static_cast<int64_t>(weight.values().size()), fitted.sqnr_db()};
}

}  // namespace

LayerQuantization store_table(const Weight& weight, ModelEdits& edits, MethodOutcome& outcome) {
  const bool by_row = is_unpacked_by_row(weight);
  count_applied(outcome, by_row ? "int8_embedding" : "int8_stored_weights", weight.readers.size());
  return by_row ? store_int8_rows(weight, edits) : store_int8(weight, edits);
}

LayerQuantization store_weight(const Weight& weight, ModelEdits& edits, MethodOutcome& outcome) {
  if (weight.is_delicate && fits_half(weight)) {
    count_applied(outcome, "fp16_stored_weights", weight.readers.size());
    outcome.decisions.push_back({"store_fp16", weight.name,
                                 weight.keeps_float
                                     ? "a logarithm follows, which would enlarge what int8 loses"
                                     : "what int8 loses here would add up in the state of the "
                                       "recurrent layers, which hold a third of the weights or "
                                       "more"});
    return store_without_zeros(weight, edits, store_half);
  }
  count_applied(outcome, "int8_stored_weights", weight.readers.size());
  return store_without_zeros(weight, edits, store_int8);
}

}  // namespace wattwise::quantize
