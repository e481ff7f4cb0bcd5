// SPDX-License-Identifier: Apache-2.0
// Parts put together again in their order are the whole; and what is put together twice can be put
// together once.
//
//   before:  Split(x) -> a, b;  Concat(a, b) -> y                    after:  x
//   before:  Slice(x, 0:4) -> a, Slice(x, 4:) -> b;  Concat(a, b)    after:  x
//   before:  Concat(a, b) -> c;  Concat(c, d) -> y                   after:  Concat(a, b, d)
//
// Exact, on the same axis only. Slices must be constant, in steps of 1, without gap or overlap,
// from 0 to the end of the axis. An inner Concat that others read stays as it is.
#include <algorithm>
#include <limits>

#include "optimize/bypass.h"
#include "optimize/passes/passes.h"
#include "optimize/shape_facts.h"

namespace wattwise::optimize {
namespace {

/// Part of a value along one axis.
struct SplitPart {
  std::string whole;
  int64_t axis;
  int64_t start;
  int64_t end;
};

std::optional<int64_t> only(const std::optional<std::vector<int64_t>>& values) {
  return values && values->size() == 1 ? std::optional(values->front()) : std::nullopt;
}

std::optional<SplitPart> as_part(const GraphEditor& graph, const std::string& value) {
  const model::Node* slice = graph.producer_if(value, "Slice");
  if (!slice) return std::nullopt;
  const auto start = only(integers_of(graph, *slice, "starts", 1));
  const auto end = only(integers_of(graph, *slice, "ends", 2));
  const bool has_axes = slice->attribute("axes") || has_input(*slice, 3);
  const auto axis =
      has_axes ? only(integers_of(graph, *slice, "axes", 3)) : std::optional(int64_t{0});
  const auto step =
      has_input(*slice, 4) ? only(integers_at(graph, *slice, 4)) : std::optional(int64_t{1});
  if (!start || !end || !axis || step != 1) return std::nullopt;
  return SplitPart{slice->inputs[0], *axis, *start, *end};
}

class PartMerger {
 public:
  PartMerger(GraphEditor& graph, const ShapeFacts& facts) : graph_(graph), facts_(facts) {}

  std::optional<std::string> whole(const model::Node& concat) const {
    if (auto value = whole_of_split(concat)) return value;
    return whole_of_slices(concat);
  }

  /// Takes the inputs of a Concat before this one in its place; true if there was one.
  bool take_in(model::Node& concat) const {
    for (size_t slot = 0; slot < concat.inputs.size(); ++slot) {
      model::Node* inner = graph_.producer_if(concat.inputs[slot], "Concat");
      if (!inner || graph_.uses(concat.inputs[slot]) != 1 || !same_axis(*inner, concat)) continue;
      std::vector<std::string> inputs = concat.inputs;
      inputs.erase(inputs.begin() + static_cast<std::ptrdiff_t>(slot));
      inputs.insert(inputs.begin() + static_cast<std::ptrdiff_t>(slot), inner->inputs.begin(),
                    inner->inputs.end());
      graph_.set_inputs(concat, std::move(inputs));
      graph_.remove(*inner);
      return true;
    }
    return false;
  }

 private:
  /// The axis of the node, counted from the start if the rank is known.
  int64_t axis_of(const model::Node& node, const std::string& value) const {
    const int64_t axis = node.int_or("axis", node.is("Concat") ? 1 : 0);
    return counted(axis, value);
  }

  int64_t counted(int64_t axis, const std::string& value) const {
    const auto rank = facts_.rank(value);
    return rank ? from_start(axis, *rank) : axis;
  }

  bool same_axis(const model::Node& inner, const model::Node& outer) const {
    return axis_of(inner, inner.outputs[0]) == axis_of(outer, outer.outputs[0]);
  }

  std::optional<std::string> whole_of_split(const model::Node& concat) const {
    const model::Node* split = graph_.producer_if(concat.inputs[0], "Split");
    if (!split || split->outputs != concat.inputs) return std::nullopt;
    const bool same = axis_of(*split, split->inputs[0]) == axis_of(concat, concat.outputs[0]);
    return same ? std::optional(split->inputs[0]) : std::nullopt;
  }

  std::optional<std::string> whole_of_slices(const model::Node& concat) const {
    int64_t position = 0;
    std::string whole;
    const int64_t axis = axis_of(concat, concat.outputs[0]);
    for (const std::string& input : concat.inputs) {
      const auto part = as_part(graph_, input);
      if (!part || part->start != position || part->end <= position) return std::nullopt;
      if (!whole.empty() && part->whole != whole) return std::nullopt;
      if (counted(part->axis, part->whole) != axis) return std::nullopt;
      whole = part->whole;
      position = part->end;
    }
    return reaches_end(whole, axis, position) ? std::optional(whole) : std::nullopt;
  }

  /// What lies between the start of the last part and `end` exists: every part before it is filled.
  bool reaches_end(const std::string& whole, int64_t axis, int64_t end) const {
    const auto* shape = facts_.shape(whole);
    if (!shape || axis < 0 || axis >= static_cast<int64_t>(shape->size())) return false;
    const int64_t size = (*shape)[static_cast<size_t>(axis)];
    // Of an axis of unknown size each part holds what there is of it; only the end must be open.
    return size < 0 ? end >= std::numeric_limits<int32_t>::max() : end >= size;
  }

  GraphEditor& graph_;
  const ShapeFacts& facts_;
};

}  // namespace

Result<PassOutcome> merge_split_parts(model::Model& model, const PassContext& context) {
  const auto is_concat = [](const model::Node& node) {
    return node.is("Concat") && node.inputs.size() > 1;
  };
  PassOutcome outcome;
  if (!any_node(model, is_concat)) return outcome;
  const ShapeFacts facts(*WATTWISE_TRY(context.shapes(model)));
  ModelEditor& editor = context.open(model);
  for (GraphEditor& graph : editor.graphs()) {
    const PartMerger merger(graph, facts);
    for (model::Node* node : graph.nodes()) {
      if (!is_concat(*node)) continue;
      while (merger.take_in(*node)) ++outcome.changed;
      const auto value = merger.whole(*node);
      if (value && bypass(graph, *node, *value)) ++outcome.changed;
    }
  }
  WATTWISE_TRY(editor.finish());
  return outcome;
}

}  // namespace wattwise::optimize
