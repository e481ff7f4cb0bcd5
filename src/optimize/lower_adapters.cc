// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/half.h"
#include "optimize/lower_resize.h"
#include "optimize/lower_spelling.h"
#include "optimize/opset_adapters.h"

namespace wattwise::optimize {
namespace {

using Integers = std::vector<int64_t>;

/// An input of constant integers becomes an attribute; the caller drops the input.
Result<void> input_to_ints(const AdapterContext& context, model::Node& node, size_t slot,
                           const std::string& name) {
  if (auto values = WATTWISE_TRY(given_integers(context, node, slot))) {
    node.set_attribute(name, std::move(*values));
  }
  return {};
}

/// The constant number of a float type at an input; absent if nothing is there.
Result<std::optional<float>> given_number(const AdapterContext& context, const model::Node& node,
                                          size_t slot) {
  if (!has_input(node, slot)) return std::optional<float>();
  const model::Constant* constant = context.graph.constant(node.inputs[slot]);
  if (const auto value = scalar_value(constant)) return std::optional(*value);
  if (constant && constant->element_count() == 1) {
    const Tensor tensor = constant->tensor();
    if (tensor.type == DataType::kDouble) {
      return std::optional(static_cast<float>(tensor.values<double>()[0]));
    }
    if (tensor.type == DataType::kFloat16) return std::optional(to_float(tensor.values<Half>()[0]));
  }
  return no_form(node.inputs[slot] + ", an attribute there, is computed or no float");
}

Result<void> input_to_float(const AdapterContext& context, model::Node& node, size_t slot,
                            const std::string& name) {
  if (const auto value = WATTWISE_TRY(given_number(context, node, slot))) {
    node.set_attribute(name, *value);
  }
  return {};
}

Result<void> same_shapes_8(const AdapterContext& context, model::Node& node) {
  const auto* first = context.facts.shape(node.inputs[0]);
  for (const std::string& input : node.inputs) {
    const auto* shape = context.facts.shape(input);
    const bool same =
        first && shape && *first == *shape && std::count(shape->begin(), shape->end(), -1) == 0;
    if (input != node.inputs[0] && !same) {
      return no_form("its inputs are not known to be of one shape");
    }
  }
  return {};
}

Result<void> max_pool_8(const AdapterContext& context, model::Node& node) {
  if (reads_output(context, node, 1)) return no_form("something reads its indices");
  context.graph.set_outputs(node, {node.outputs[0]});
  return {};
}

Result<void> dropout_10(const AdapterContext& context, model::Node& node) {
  if (reads_output(context, node, 1)) return no_form("its mask has another type");
  return {};
}

Result<void> slice_10(const AdapterContext& context, model::Node& node) {
  const auto steps = WATTWISE_TRY(given_integers(context, node, 4));
  if (steps && std::any_of(steps->begin(), steps->end(), [](int64_t s) { return s != 1; })) {
    return no_form("it steps over elements");
  }
  WATTWISE_TRY(input_to_ints(context, node, 1, "starts"));
  WATTWISE_TRY(input_to_ints(context, node, 2, "ends"));
  WATTWISE_TRY(input_to_ints(context, node, 3, "axes"));
  drop_inputs_from(context, node, 1);
  return {};
}

Result<void> topk_10(const AdapterContext& context, model::Node& node) {
  const auto count = WATTWISE_TRY(given_integers(context, node, 1));
  if (!count || count->size() != 1) return no_form("its k is no single number");
  node.set_attribute("k", count->front());
  drop_inputs_from(context, node, 1);
  return {};
}

Result<void> clip_11(const AdapterContext& context, model::Node& node) {
  WATTWISE_TRY(input_to_float(context, node, 1, "min"));
  WATTWISE_TRY(input_to_float(context, node, 2, "max"));
  drop_inputs_from(context, node, 1);
  return {};
}

Result<void> pad_11(const AdapterContext& context, model::Node& node) {
  WATTWISE_TRY(input_to_ints(context, node, 1, "pads"));
  WATTWISE_TRY(input_to_float(context, node, 2, "value"));
  drop_inputs_from(context, node, 1);
  return {};
}

/// Indices may count from the end since set 11; those that are computed are taken to be no such.
Result<void> count_indices_from_start(const AdapterContext& context, model::Node& node) {
  const auto indices = integers_at(context.graph, node, 1);
  if (!indices || std::none_of(indices->begin(), indices->end(), [](int64_t i) { return i < 0; })) {
    return {};
  }
  const auto* shape = context.facts.shape(node.inputs[0]);
  const int64_t axis = node.int_or("axis", 0);
  const int64_t size = shape && axis < static_cast<int64_t>(shape->size())
                           ? (*shape)[static_cast<size_t>(axis)]
                           : -1;
  if (size < 0) return no_form("its indices count from the end of an axis of unknown size");
  Integers counted = *indices;
  for (int64_t& index : counted) index = from_start(index, size);
  const std::vector<int64_t> index_shape = context.graph.constant(node.inputs[1])->shape;
  context.graph.set_input(
      node, 1, context.graph.add_constant(node.inputs[1], make_int64_tensor(index_shape, counted)));
  return {};
}

Result<void> scatter_11(const AdapterContext& context, model::Node& node) {
  WATTWISE_TRY(count_indices_from_start(context, node));
  node.op_type = "Scatter";
  return {};
}

Result<void> gemm_11(const AdapterContext& context, model::Node& node) {
  if (has_input(node, 2)) return {};
  const Tensor zero = WATTWISE_TRY(number_like_input(context, node, 0));
  put_input(context, node, 2, context.graph.add_constant(node.outputs[0] + "_zero", zero));
  return {};
}

Result<void> dropout_12(const AdapterContext& context, model::Node& node) {
  if (reads_output(context, node, 1)) return no_form("something reads its mask");
  if (has_input(node, 2)) {
    const model::Constant* training = context.graph.constant(node.inputs[2]);
    if (!training || training->data.size() != 1 || *training->data.data() != std::byte{0}) {
      return no_form("it may be there for training");
    }
  }
  // Without training the ratio does nothing.
  drop_attribute(node, "seed");
  drop_inputs_from(context, node, 1);
  return {};
}

/// `axes` of a reduction, `split` of a Split: an attribute again.
Result<void> input_to_axes(const AdapterContext& context, model::Node& node) {
  WATTWISE_TRY(input_to_ints(context, node, 1, node.is("Split") ? "split" : "axes"));
  const bool keeps =
      node.int_or("noop_with_empty_axes", 0) != 0 && node.ints_or_empty("axes").empty();
  drop_attribute(node, "noop_with_empty_axes");
  drop_inputs_from(context, node, 1);
  if (node.ints_or_empty("axes").empty()) drop_attribute(node, "axes");
  if (!keeps) return {};
  const bool is_sum_like = node.is("ReduceSum") || node.is("ReduceMax") || node.is("ReduceMin") ||
                           node.is("ReduceMean") || node.is("ReduceProd");
  if (!is_sum_like) return no_form("it reduces single elements");
  node.op_type = "Identity";
  node.attributes.clear();
  return {};
}

Result<void> one_scale_13(const AdapterContext& context, model::Node& node) {
  const model::Constant* scale = context.graph.constant(node.inputs[1]);
  const auto rank = context.facts.rank(node.inputs[1]);
  const bool is_one = scale ? scale->element_count() == 1 : rank && *rank == 0;
  if (!is_one) return no_form("it has scales per channel");
  drop_attribute(node, "axis");
  return {};
}

Result<void> roi_align_16(const AdapterContext&, model::Node& node) {
  if (node.string_or("coordinate_transformation_mode", "half_pixel") != "output_half_pixel") {
    return no_form("it reads half a pixel beside");
  }
  drop_attribute(node, "coordinate_transformation_mode");
  return {};
}

Result<void> split_18(const AdapterContext& context, model::Node& node) {
  const int64_t parts = node.int_or("num_outputs", 0);
  drop_attribute(node, "num_outputs");
  if (parts == 0) return {};
  const auto* shape = context.facts.shape(node.inputs[0]);
  const auto rank = shape ? static_cast<int64_t>(shape->size()) : 0;
  const int64_t axis = from_start(node.int_or("axis", 0), rank);
  const int64_t size = shape && axis < rank ? (*shape)[static_cast<size_t>(axis)] : -1;
  if (size < 0) return no_form("the size that it splits is not known");
  if (size % parts == 0) return {};
  const int64_t part = (size + parts - 1) / parts;
  Integers sizes(static_cast<size_t>(parts), part);
  sizes.back() = size - part * (parts - 1);
  put_input(
      context, node, 1,
      context.graph.add_constant(node.outputs[0] + "_split", make_int64_tensor({parts}, sizes)));
  return {};
}

Result<void> grid_sample_20(const AdapterContext& context, model::Node& node) {
  if (WATTWISE_TRY(known_rank(context, node)) != 4) return no_form("it samples no images");
  const std::string mode = node.string_or("mode", "linear");
  if (mode == "linear") node.set_attribute("mode", std::string("bilinear"));
  if (mode == "cubic") node.set_attribute("mode", std::string("bicubic"));
  return {};
}

Result<void> dft_20(const AdapterContext& context, model::Node& node) {
  const auto axis = WATTWISE_TRY(given_integers(context, node, 2));
  const int64_t counted = axis && axis->size() == 1 ? axis->front() : -2;
  node.set_attribute("axis", from_start(counted, WATTWISE_TRY(known_rank(context, node))));
  drop_inputs_from(context, node, 2);
  return {};
}

constexpr std::array kLowering = {
    AdapterRow{"Max", 8, same_shapes_8},
    AdapterRow{"MaxPool", 8, max_pool_8},
    AdapterRow{"Mean", 8, same_shapes_8},
    AdapterRow{"Min", 8, same_shapes_8},
    AdapterRow{"Sum", 8, same_shapes_8},
    AdapterRow{"ConstantOfShape", 9, spell_constant_of_shape_9},
    AdapterRow{"Upsample", 9, lower_upsample_9},
    AdapterRow{"Dropout", 10, dropout_10},
    AdapterRow{"Resize", 10, lower_resize_10},
    AdapterRow{"Slice", 10, slice_10},
    AdapterRow{"TopK", 10, topk_10},
    AdapterRow{"Clip", 11, clip_11},
    AdapterRow{"Gather", 11, count_indices_from_start},
    AdapterRow{"Gemm", 11, gemm_11},
    AdapterRow{"Pad", 11, pad_11},
    AdapterRow{"Resize", 11, lower_resize_11},
    AdapterRow{"ScatterElements", 11, scatter_11},
    AdapterRow{"Celu", 12, spell_celu_12},
    AdapterRow{"Dropout", 12, dropout_12},
    AdapterRow{"GreaterOrEqual", 12, spell_greater_or_equal_12},
    AdapterRow{"LessOrEqual", 12, spell_less_or_equal_12},
    AdapterRow{"DequantizeLinear", 13, one_scale_13},
    AdapterRow{"Hardmax", 13, spell_softmax_13},
    AdapterRow{"LogSoftmax", 13, spell_softmax_13},
    AdapterRow{"QuantizeLinear", 13, one_scale_13},
    AdapterRow{"ReduceSum", 13, input_to_axes},
    AdapterRow{"Resize", 13, lower_resize_13},
    AdapterRow{"Softmax", 13, spell_softmax_13},
    AdapterRow{"Split", 13, input_to_axes},
    AdapterRow{"Squeeze", 13, input_to_axes},
    AdapterRow{"Unsqueeze", 13, input_to_axes},
    AdapterRow{"HardSwish", 14, spell_hard_swish_14},
    AdapterRow{"CastLike", 15, spell_cast_like_15},
    AdapterRow{"Shape", 15, spell_shape_15},
    AdapterRow{"RoiAlign", 16, roi_align_16},
    AdapterRow{"LayerNormalization", 17, spell_layer_normalization_17},
    AdapterRow{"GroupNormalization", 18, spell_group_normalization_18},
    AdapterRow{"Mish", 18, spell_mish_18},
    AdapterRow{"Pad", 18, lower_pad_18},
    AdapterRow{"ReduceL1", 18, input_to_axes},
    AdapterRow{"ReduceL2", 18, input_to_axes},
    AdapterRow{"ReduceLogSum", 18, input_to_axes},
    AdapterRow{"ReduceLogSumExp", 18, input_to_axes},
    AdapterRow{"ReduceMax", 18, input_to_axes},
    AdapterRow{"ReduceMean", 18, input_to_axes},
    AdapterRow{"ReduceMin", 18, input_to_axes},
    AdapterRow{"ReduceProd", 18, input_to_axes},
    AdapterRow{"ReduceSumSquare", 18, input_to_axes},
    AdapterRow{"Resize", 18, lower_resize_18},
    AdapterRow{"Split", 18, split_18},
    AdapterRow{"DFT", 20, dft_20},
    AdapterRow{"Gelu", 20, spell_gelu_20},
    AdapterRow{"GridSample", 20, grid_sample_20},
    AdapterRow{"GroupNormalization", 21, spell_group_normalization_21},
    AdapterRow{"RMSNormalization", 23, spell_rms_normalization_23},
    AdapterRow{"Swish", 24, spell_swish_24}};

}  // namespace

std::span<const AdapterRow> lowering_adapters() { return kLowering; }

}  // namespace wattwise::optimize
