// SPDX-License-Identifier: Apache-2.0
// A node that moves elements, but here moves none, is not needed.
//
//   before:  Pad(x, 0 before, 0 behind) -> y;  Relu(y)      after:  Relu(x)
//
// Exact: y = x. Taken out: Pad by zeros; Slice from the start past the end in steps of 1; Expand to
// a shape that x has or that is all ones; Tile by ones; pooling with a window of 1 in steps of 1;
// Resize and Upsample by scales of 1, which hit every element in all modes but cropping. Counts
// must be constants.
#include <algorithm>
#include <array>
#include <limits>

#include "optimize/bypass.h"
#include "optimize/passes/passes.h"
#include "optimize/shape_facts.h"

namespace wattwise::optimize {
namespace {

using Sizes = std::vector<int64_t>;

bool all_are(const Sizes& sizes, int64_t number) {
  return std::all_of(sizes.begin(), sizes.end(), [&](int64_t size) { return size == number; });
}

bool pads_nothing(const GraphEditor& graph, const model::Node& node, const ShapeFacts&) {
  const auto pads = integers_of(graph, node, "pads", 1);
  return pads && all_are(*pads, 0);
}

/// An end that no size exceeds, as exporters write it.
constexpr int64_t kAnyEnd = std::numeric_limits<int32_t>::max();

bool slices_all(const GraphEditor& graph, const model::Node& node, const ShapeFacts& facts) {
  const auto starts = integers_of(graph, node, "starts", 1);
  const auto ends = integers_of(graph, node, "ends", 2);
  if (!starts || !ends || !all_are(*starts, 0)) return false;
  if (has_input(node, 4)) {
    const auto steps = integers_at(graph, node, 4);
    if (!steps || !all_are(*steps, 1)) return false;
  }
  if (std::all_of(ends->begin(), ends->end(), [](int64_t end) { return end >= kAnyEnd; })) {
    return true;
  }
  const Sizes* shape = facts.shape(node.inputs[0]);
  const bool has_axes = node.attribute("axes") || has_input(node, 3);
  const auto axes = integers_of(graph, node, "axes", 3);
  if (!shape || (has_axes && !axes)) return false;
  const auto rank = static_cast<int64_t>(shape->size());
  for (size_t i = 0; i < ends->size(); ++i) {
    if (has_axes && i >= axes->size()) return false;
    const int64_t axis = has_axes ? from_start((*axes)[i], rank) : static_cast<int64_t>(i);
    if (axis < 0 || axis >= rank) return false;
    const int64_t size = (*shape)[static_cast<size_t>(axis)];
    if ((*ends)[i] < kAnyEnd && (size < 0 || (*ends)[i] < size)) return false;
  }
  return true;
}

bool expands_nothing(const GraphEditor& graph, const model::Node& node, const ShapeFacts& facts) {
  const auto wanted = integers_at(graph, node, 1);
  const Sizes* shape = facts.shape(node.inputs[0]);
  return wanted && shape && broadcasts_into(*wanted, *shape);
}

bool repeats_nothing(const GraphEditor& graph, const model::Node& node, const ShapeFacts&) {
  // Before opset 6 the operator had other inputs.
  const auto repeats = node.inputs.size() == 2 ? integers_at(graph, node, 1) : std::nullopt;
  return repeats && all_are(*repeats, 1);
}

bool pools_nothing(const GraphEditor&, const model::Node& node, const ShapeFacts&) {
  const Sizes window = node.ints_or_empty("kernel_shape");
  return !window.empty() && all_are(window, 1) && all_are(node.ints_or_empty("strides"), 1) &&
         all_are(node.ints_or_empty("pads"), 0);
}

bool scales_nothing(const GraphEditor& graph, const model::Node& node, const ShapeFacts&) {
  if (node.string_or("coordinate_transformation_mode", "") == "tf_crop_and_resize") return false;
  const bool by_size = node.is("Resize") && has_input(node, 3);
  if (by_size) return false;
  // Two inputs: opset 10's form, with the scales second.
  const size_t slot = node.inputs.size() == 2 ? 1 : 2;
  const auto* scales = node.attribute("scales");
  if (const auto* values = scales ? std::get_if<std::vector<float>>(&scales->value) : nullptr) {
    return std::all_of(values->begin(), values->end(), [](float scale) { return scale == 1; });
  }
  if (!has_input(node, slot)) return false;
  const model::Constant* constant = graph.constant(node.inputs[slot]);
  return constant && constant->type == DataType::kFloat && constant->element_count() > 0 &&
         holds_only(*constant, 1);
}

struct Copier {
  std::string_view op;
  bool (*does_nothing)(const GraphEditor&, const model::Node&, const ShapeFacts&);
};

constexpr std::array kCopiers = {
    Copier{"Pad", pads_nothing},       Copier{"Slice", slices_all},
    Copier{"Expand", expands_nothing}, Copier{"Tile", repeats_nothing},
    Copier{"MaxPool", pools_nothing},  Copier{"AveragePool", pools_nothing},
    Copier{"Resize", scales_nothing},  Copier{"Upsample", scales_nothing}};

const Copier* find_copier(const model::Node& node) {
  const auto it = std::find_if(kCopiers.begin(), kCopiers.end(),
                               [&](const Copier& row) { return node.is(row.op); });
  return it == kCopiers.end() || node.inputs.empty() ? nullptr : &*it;
}

}  // namespace

Result<PassOutcome> remove_noop_copies(model::Model& model, const PassContext& context) {
  const auto candidate = [](const model::Node& node) { return find_copier(node) != nullptr; };
  if (!any_node(model, candidate)) return PassOutcome();
  const ShapeFacts facts(*WATTWISE_TRY(context.shapes(model)));
  return bypass_nodes(model, context, [&](const GraphEditor& graph, const model::Node& node) {
    const Copier* copier = find_copier(node);
    const bool copies = copier && copier->does_nothing(graph, node, facts);
    return copies ? std::optional(node.inputs[0]) : std::nullopt;
  });
}

}  // namespace wattwise::optimize
