// SPDX-License-Identifier: Apache-2.0
#include "optimize/opset_adapters.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace wattwise::optimize {
namespace {

using Integers = std::vector<int64_t>;

/// An attribute of integers becomes the input `slot`.
void ints_to_input(const AdapterContext& context, model::Node& node, const std::string& name,
                   size_t slot) {
  const Integers values = node.ints_or_empty(name);
  drop_attribute(node, name);
  if (values.empty()) return;
  const Tensor tensor = make_int64_tensor({static_cast<int64_t>(values.size())}, values);
  put_input(context, node, slot, context.graph.add_constant(node.outputs[0] + "_" + name, tensor));
}

/// An attribute of one float becomes the input `slot`.
Result<void> float_to_input(const AdapterContext& context, model::Node& node,
                            const std::string& name, size_t slot) {
  if (!node.attribute(name)) return {};
  const Tensor tensor = WATTWISE_TRY(number_like_input(context, node, node.float_or(name, 0)));
  drop_attribute(node, name);
  put_input(context, node, slot, context.graph.add_constant(node.outputs[0] + "_" + name, tensor));
  return {};
}

Result<void> raise_batch_normalization_9(const AdapterContext&, model::Node& node) {
  if (node.int_or("spatial", 1) != 1) return no_form("it normalizes each element by itself");
  drop_attribute(node, "spatial");
  return {};
}

Result<void> raise_batch_normalization_14(const AdapterContext& context, model::Node& node) {
  for (size_t slot = 1; slot < node.outputs.size(); ++slot) {
    if (reads_output(context, node, slot)) return no_form("it is there for training");
  }
  context.graph.set_outputs(node, {node.outputs[0]});
  return {};
}

Result<void> raise_upsample_9(const AdapterContext& context, model::Node& node) {
  const auto* scales = node.attribute("scales");
  const auto* values = scales ? std::get_if<std::vector<float>>(&scales->value) : nullptr;
  if (!values) return no_form("its scales are missing");
  const Tensor tensor = make_float_tensor({static_cast<int64_t>(values->size())}, *values);
  drop_attribute(node, "scales");
  put_input(context, node, 1, context.graph.add_constant(node.outputs[0] + "_scales", tensor));
  return {};
}

Result<void> raise_upsample_10(const AdapterContext&, model::Node& node) {
  node.op_type = "Resize";
  return {};
}

Result<void> raise_resize_11(const AdapterContext& context, model::Node& node) {
  const std::string scales = node.inputs[1];
  put_input(context, node, 1,
            context.graph.add_constant(node.outputs[0] + "_roi", make_float_tensor({0}, {})));
  put_input(context, node, 2, scales);
  node.set_attribute("coordinate_transformation_mode", std::string("asymmetric"));
  node.set_attribute("nearest_mode", std::string("floor"));
  return {};
}

Result<void> raise_slice_10(const AdapterContext& context, model::Node& node) {
  ints_to_input(context, node, "starts", 1);
  ints_to_input(context, node, "ends", 2);
  ints_to_input(context, node, "axes", 3);
  return {};
}

Result<void> raise_topk_10(const AdapterContext& context, model::Node& node) {
  const std::array count = {node.int_or("k", 0)};
  drop_attribute(node, "k");
  put_input(context, node, 1,
            context.graph.add_constant(node.outputs[0] + "_k", make_int64_tensor({1}, count)));
  return {};
}

Result<void> raise_dropout_10(const AdapterContext& context, model::Node& node) {
  if (reads_output(context, node, 1)) return no_form("its mask has another type");
  return {};
}

Result<void> raise_dropout_12(const AdapterContext&, model::Node& node) {
  // The ratio matters in training only, which now takes an input that is not there.
  drop_attribute(node, "ratio");
  return {};
}

Result<void> raise_clip_11(const AdapterContext& context, model::Node& node) {
  WATTWISE_TRY(float_to_input(context, node, "min", 1));
  return float_to_input(context, node, "max", 2);
}

Result<void> raise_pad_11(const AdapterContext& context, model::Node& node) {
  ints_to_input(context, node, "pads", 1);
  const bool fills = node.string_or("mode", "constant") == "constant";
  if (!fills || node.float_or("value", 0) == 0) {
    drop_attribute(node, "value");
    return {};
  }
  return float_to_input(context, node, "value", 2);
}

Result<void> raise_scatter_11(const AdapterContext&, model::Node& node) {
  node.op_type = "ScatterElements";
  return {};
}

Result<void> axes_to_input(const AdapterContext& context, model::Node& node) {
  ints_to_input(context, node, "axes", 1);
  return {};
}

Result<void> raise_split_13(const AdapterContext& context, model::Node& node) {
  ints_to_input(context, node, "split", 1);
  return {};
}

Result<void> raise_split_18(const AdapterContext&, model::Node& node) {
  if (has_input(node, 1)) return {};
  node.set_attribute("num_outputs", static_cast<int64_t>(node.outputs.size()));
  return {};
}

/// Softmax over all axes from `axis` on, seen as a matrix, in the set that knows only one axis.
void flatten_around(const AdapterContext& context, model::Node& node, int64_t axis) {
  GraphEditor& graph = context.graph;
  const std::string input = node.inputs[0];
  const std::string output = node.outputs[0];
  const std::string shape = graph.unique(output + "_shape");
  const std::string matrix = graph.unique(output + "_matrix");
  const std::string flat = graph.unique(output + "_flat");
  graph.set_input(node, 0, matrix);
  graph.set_outputs(node, {flat});
  graph.add(make_node("Shape", {input}, shape));
  graph.add(make_node("Flatten", {input}, matrix)).set_attribute("axis", axis);
  graph.add(make_node("Reshape", {flat, shape}, output));
}

Result<void> raise_softmax_13(const AdapterContext& context, model::Node& node) {
  const int64_t axis = node.int_or("axis", 1);
  const auto rank = context.facts.rank(node.inputs[0]);
  const bool last = axis == -1 || (rank && axis == *rank - 1);
  if (!last) flatten_around(context, node, axis);
  node.set_attribute("axis", int64_t{-1});
  return {};
}

Result<void> raise_roi_align_16(const AdapterContext&, model::Node& node) {
  if (node.attribute("coordinate_transformation_mode")) return {};
  node.set_attribute("coordinate_transformation_mode", std::string("output_half_pixel"));
  return {};
}

Result<void> raise_grid_sample_20(const AdapterContext&, model::Node& node) {
  const std::string mode = node.string_or("mode", "bilinear");
  if (mode == "bilinear") node.set_attribute("mode", std::string("linear"));
  if (mode == "bicubic") node.set_attribute("mode", std::string("cubic"));
  return {};
}

Result<void> raise_dft_20(const AdapterContext& context, model::Node& node) {
  const std::array axis = {node.int_or("axis", 1)};
  drop_attribute(node, "axis");
  put_input(context, node, 2,
            context.graph.add_constant(node.outputs[0] + "_axis", make_int64_tensor({}, axis)));
  return {};
}

Result<void> raise_scan_9(const AdapterContext&, model::Node&) {
  return no_form("it went through a batch, which the new one does not");
}

Result<void> raise_group_normalization_21(const AdapterContext& context, model::Node& node) {
  return spell_out_group_norm(context, node, false);
}

constexpr std::array kRaising = {
    AdapterRow{"BatchNormalization", 9, raise_batch_normalization_9},
    AdapterRow{"Upsample", 9, raise_upsample_9},
    AdapterRow{"Scan", 9, raise_scan_9},
    AdapterRow{"Dropout", 10, raise_dropout_10},
    AdapterRow{"Slice", 10, raise_slice_10},
    AdapterRow{"TopK", 10, raise_topk_10},
    AdapterRow{"Upsample", 10, raise_upsample_10},
    AdapterRow{"Clip", 11, raise_clip_11},
    AdapterRow{"Pad", 11, raise_pad_11},
    AdapterRow{"Resize", 11, raise_resize_11},
    AdapterRow{"Scatter", 11, raise_scatter_11},
    AdapterRow{"Dropout", 12, raise_dropout_12},
    AdapterRow{"Hardmax", 13, raise_softmax_13},
    AdapterRow{"LogSoftmax", 13, raise_softmax_13},
    AdapterRow{"ReduceSum", 13, axes_to_input},
    AdapterRow{"Softmax", 13, raise_softmax_13},
    AdapterRow{"Split", 13, raise_split_13},
    AdapterRow{"Squeeze", 13, axes_to_input},
    AdapterRow{"Unsqueeze", 13, axes_to_input},
    AdapterRow{"BatchNormalization", 14, raise_batch_normalization_14},
    AdapterRow{"RoiAlign", 16, raise_roi_align_16},
    AdapterRow{"ReduceL1", 18, axes_to_input},
    AdapterRow{"ReduceL2", 18, axes_to_input},
    AdapterRow{"ReduceLogSum", 18, axes_to_input},
    AdapterRow{"ReduceLogSumExp", 18, axes_to_input},
    AdapterRow{"ReduceMax", 18, axes_to_input},
    AdapterRow{"ReduceMean", 18, axes_to_input},
    AdapterRow{"ReduceMin", 18, axes_to_input},
    AdapterRow{"ReduceProd", 18, axes_to_input},
    AdapterRow{"ReduceSumSquare", 18, axes_to_input},
    AdapterRow{"Split", 18, raise_split_18},
    AdapterRow{"DFT", 20, raise_dft_20},
    AdapterRow{"GridSample", 20, raise_grid_sample_20},
    AdapterRow{"GroupNormalization", 21, raise_group_normalization_21}};

}  // namespace

std::span<const AdapterRow> raising_adapters() { return kRaising; }

}  // namespace wattwise::optimize
