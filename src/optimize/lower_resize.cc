// SPDX-License-Identifier: Apache-2.0
#include "optimize/lower_resize.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace wattwise::optimize {
namespace {

using Integers = std::vector<int64_t>;

/// How much larger each axis gets, exactly as floats say it.
Result<std::vector<float>> scales_of_resize(const AdapterContext& context,
                                            const model::Node& node) {
  const model::Constant* given =
      has_input(node, 2) ? context.graph.constant(node.inputs[2]) : nullptr;
  if (given && given->element_count() > 0) return float_values(*given);
  const auto sizes = WATTWISE_TRY(given_integers(context, node, 3));
  const auto* shape = context.facts.shape(node.inputs[0]);
  if (!sizes || !shape || shape->size() != sizes->size()) {
    return no_form("its scales are computed");
  }
  std::vector<float> scales;
  for (size_t axis = 0; axis < sizes->size(); ++axis) {
    const int64_t before = (*shape)[axis];
    const int64_t after = (*sizes)[axis];
    const float scale = static_cast<float>(after) / static_cast<float>(before);
    if (before <= 0 ||
        static_cast<int64_t>(std::floor(static_cast<float>(before) * scale)) != after) {
      return no_form("its sizes are no scales of what it reads");
    }
    scales.push_back(scale);
  }
  return scales;
}

/// Between whole multiples the middle of a pixel lies in the same pixel as its corner.
bool picks_like_corners(const model::Node& node, const std::vector<float>& scales) {
  const std::string place = node.string_or("coordinate_transformation_mode", "half_pixel");
  const std::string nearest = node.string_or("nearest_mode", "round_prefer_floor");
  if (place == "asymmetric") return nearest == "floor";
  return (place == "half_pixel" || place == "pytorch_half_pixel") &&
         nearest.starts_with("round_prefer_") &&
         std::all_of(scales.begin(), scales.end(),
                     [](float scale) { return scale >= 1 && scale == std::floor(scale); });
}

/// `given`, which is for `axes` only, for all; `neutral` elsewhere. Halves for pads.
template <typename T>
std::vector<T> spread(const std::vector<T>& given, const Integers& axes, int64_t rank, T neutral) {
  const size_t halves = given.size() / std::max<size_t>(axes.size(), 1);
  std::vector<T> all(halves * static_cast<size_t>(rank), neutral);
  for (size_t i = 0; i < given.size(); ++i) {
    const int64_t axis = from_start(axes[i % axes.size()], rank);
    all[i / axes.size() * static_cast<size_t>(rank) + static_cast<size_t>(axis)] = given[i];
  }
  return all;
}

}  // namespace

Result<void> lower_upsample_9(const AdapterContext& context, model::Node& node) {
  const model::Constant* scales = context.graph.constant(node.inputs[1]);
  std::vector<float> values = scales ? float_values(*scales) : std::vector<float>();
  if (values.empty()) return no_form("its scales are computed");
  node.set_attribute("scales", std::move(values));
  drop_inputs_from(context, node, 1);
  return {};
}

Result<void> lower_resize_10(const AdapterContext& context, model::Node& node) {
  const model::Constant* scales = context.graph.constant(node.inputs[1]);
  const std::vector<float> values = scales ? float_values(*scales) : std::vector<float>();
  if (values.empty() || *std::min_element(values.begin(), values.end()) < 1) {
    return no_form("its scales are not known to be 1 or more");
  }
  node.op_type = "Upsample";
  return {};
}

Result<void> lower_resize_11(const AdapterContext& context, model::Node& node) {
  const std::vector<float> scales = WATTWISE_TRY(scales_of_resize(context, node));
  const std::string mode = node.string_or("mode", "nearest");
  const bool same = mode == "nearest"
                        ? picks_like_corners(node, scales)
                        : mode == "linear" && node.string_or("coordinate_transformation_mode",
                                                             "half_pixel") == "asymmetric";
  if (!same) return no_form("it reads between pixels in another way");
  for (const char* name : {"coordinate_transformation_mode", "cubic_coeff_a", "exclude_outside",
                           "extrapolation_value", "nearest_mode"}) {
    drop_attribute(node, name);
  }
  const Tensor tensor = make_float_tensor({static_cast<int64_t>(scales.size())}, scales);
  drop_inputs_from(context, node, 1);
  put_input(context, node, 1, context.graph.add_constant(node.outputs[0] + "_scales", tensor));
  return {};
}

Result<void> lower_resize_13(const AdapterContext& context, model::Node& node) {
  for (const size_t slot : {size_t{1}, size_t{2}}) {
    if (has_input(node, slot)) continue;
    put_input(context, node, slot,
              context.graph.add_constant(node.outputs[0] + "_none", make_float_tensor({0}, {})));
  }
  return {};
}

Result<void> lower_pad_18(const AdapterContext& context, model::Node& node) {
  const auto axes = WATTWISE_TRY(given_integers(context, node, 3));
  if (axes) {
    const auto pads = WATTWISE_TRY(given_integers(context, node, 1));
    const int64_t rank = WATTWISE_TRY(known_rank(context, node));
    const Integers all = spread(*pads, *axes, rank, int64_t{0});
    const Tensor tensor = make_int64_tensor({static_cast<int64_t>(all.size())}, all);
    put_input(context, node, 1, context.graph.add_constant(node.outputs[0] + "_pads", tensor));
  }
  drop_inputs_from(context, node, 3);
  return {};
}

Result<void> lower_resize_18(const AdapterContext& context, model::Node& node) {
  const Integers axes = node.ints_or_empty("axes");
  drop_attribute(node, "axes");
  if (axes.empty()) return {};
  const int64_t rank = WATTWISE_TRY(known_rank(context, node));
  if (node.string_or("coordinate_transformation_mode", "") == "tf_crop_and_resize" ||
      has_input(node, 3)) {
    return no_form("it gives sizes for some axes only");
  }
  const model::Constant* scales =
      has_input(node, 2) ? context.graph.constant(node.inputs[2]) : nullptr;
  if (!scales) return no_form("its scales for some axes are computed");
  const std::vector<float> all = spread(float_values(*scales), axes, rank, 1.0F);
  const Tensor tensor = make_float_tensor({static_cast<int64_t>(all.size())}, all);
  put_input(context, node, 2, context.graph.add_constant(node.outputs[0] + "_scales", tensor));
  return {};
}

}  // namespace wattwise::optimize
