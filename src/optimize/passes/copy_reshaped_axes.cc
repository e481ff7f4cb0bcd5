// SPDX-License-Identifier: Apache-2.0
// A Reshape that asks for sizes of what it reads copies them.
//
//   before:  Shape(x) -> s;  Gather(s, 0) -> b;  Gather(s, 1) -> n;  Concat(b, n, 12, 32) -> t;
//            Reshape(x, t) -> y
//   after:   Reshape(x, [0, 0, 12, 32]) -> y
//
// Exact: 0 stands for the size at the same place, which is what was asked for. Sizes of other
// values stay as they are, even where they must be the same.
#include <algorithm>
#include <optional>

#include "optimize/bypass.h"
#include "optimize/passes/passes.h"
#include "optimize/shape_facts.h"

namespace wattwise::optimize {
namespace {

using Targets = std::vector<int64_t>;

class AxisCopier {
 public:
  explicit AxisCopier(GraphEditor& graph) : graph_(graph) {}

  int64_t run() {
    int64_t changed = 0;
    for (model::Node* node : graph_.nodes()) {
      if (!node->is("Reshape") || node->inputs.size() != 2) continue;
      if (node->int_or("allowzero", 0) != 0) continue;
      const auto target = target_of(*node);
      if (!target) continue;
      const auto count = static_cast<int64_t>(target->size());
      graph_.set_input(
          *node, 1,
          graph_.add_constant(node->outputs[0] + "_shape", make_int64_tensor({count}, *target)));
      ++changed;
    }
    return changed;
  }

 private:
  /// The target with 0 for what is asked of the input itself; absent if something else is.
  std::optional<Targets> target_of(const model::Node& reshape) const {
    const model::Node* concat = graph_.producer_if(reshape.inputs[1], "Concat");
    if (!concat) return std::nullopt;
    Targets target;
    bool copies = false;
    for (size_t i = 0; i < concat->inputs.size(); ++i) {
      if (const auto numbers = integers_at(graph_, *concat, i)) {
        target.insert(target.end(), numbers->begin(), numbers->end());
        continue;
      }
      const auto axis = axis_asked_for(concat->inputs[i], reshape.inputs[0]);
      if (!axis || *axis != static_cast<int64_t>(target.size())) return std::nullopt;
      target.push_back(0);
      copies = true;
    }
    return copies ? std::optional(target) : std::nullopt;
  }

  /// The axis of `of` whose size this value, of one element, is.
  std::optional<int64_t> axis_asked_for(const std::string& value, const std::string& of) const {
    const model::Node* node = graph_.producer(value);
    if (!node) return std::nullopt;
    if (node->is("Unsqueeze") || node->is("Reshape")) node = graph_.producer(node->inputs[0]);
    if (!node || node->inputs.empty()) return std::nullopt;
    std::optional<int64_t> axis;
    if (node->is("Gather")) {
      const auto index = integers_at(graph_, *node, 1);
      if (index && index->size() == 1) axis = index->front();
    } else if (node->is("Slice")) {
      axis = sliced(*node);
    }
    const model::Node* shape = axis ? graph_.producer_if(node->inputs[0], "Shape") : nullptr;
    if (!shape || shape->inputs[0] != of || shape->attribute("start") || shape->attribute("end")) {
      return std::nullopt;
    }
    return axis;
  }

  /// The only place that a Slice of a list takes.
  std::optional<int64_t> sliced(const model::Node& slice) const {
    const auto starts = integers_of(graph_, slice, "starts", 1);
    const auto ends = integers_of(graph_, slice, "ends", 2);
    const auto steps = integers_at(graph_, slice, 4);
    if (!starts || !ends || starts->size() != 1 || ends->size() != 1) return std::nullopt;
    if (has_input(slice, 4) && (!steps || *steps != Targets{1})) return std::nullopt;
    const bool is_one =
        starts->front() >= 0 && ends->front() > 0 && ends->front() - starts->front() == 1;
    return is_one ? std::optional(starts->front()) : std::nullopt;
  }

  GraphEditor& graph_;
};

}  // namespace

Result<PassOutcome> copy_reshaped_axes(model::Model& model, const PassContext& context) {
  const auto is_reshape = [](const model::Node& node) { return node.is("Reshape"); };
  PassOutcome outcome;
  if (model.opset("") < 5 || !any_node(model, is_reshape)) return outcome;  // they were attributes
  ModelEditor& editor = context.open(model);
  for (GraphEditor& graph : editor.graphs()) outcome.changed += AxisCopier(graph).run();
  WATTWISE_TRY(editor.finish());
  return outcome;
}

}  // namespace wattwise::optimize
