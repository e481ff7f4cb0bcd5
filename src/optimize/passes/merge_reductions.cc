// SPDX-License-Identifier: Apache-2.0
// A reduction takes in the reshape behind it, or is one.
//
//   before:  ReduceMean(x, axis 1, keepdims 0) -> m;  Unsqueeze(m, 1) -> y
//   after:   ReduceMean(x, axis 1, keepdims 1) -> y
//   before:  ReduceMean(x[N,1], axis 1, keepdims 0) -> y         after:  Squeeze(x, 1) -> y
//
// Exact: the sum, mean, product, least or largest of one number is that number. Axes must be
// constants; those of size 1 must have it for every input.
#include <algorithm>
#include <array>

#include "optimize/bypass.h"
#include "optimize/elementwise_parts.h"
#include "optimize/passes/passes.h"
#include "optimize/rewrite_graphs.h"
#include "optimize/shape_facts.h"

namespace wattwise::optimize {
namespace {

/// First opset whose Squeeze takes its axes as an input.
constexpr int64_t kFirstSqueezeWithAxesInput = 13;
constexpr auto kKeepOneNumber = std::to_array<std::string_view>(
    {"ReduceMean", "ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin"});
constexpr auto kOthers = std::to_array<std::string_view>(
    {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"});

bool is_reduction(const model::Node& node) {
  return !node.inputs.empty() && (node.is_one_of(kKeepOneNumber) || node.is_one_of(kOthers));
}

/// Sorted, counted from the start.
std::optional<std::vector<int64_t>> axes_of(const GraphEditor& graph, const model::Node& node,
                                            int64_t rank) {
  auto axes = integers_of(graph, node, "axes", 1);
  if (!axes || axes->empty()) return std::nullopt;
  for (int64_t& axis : *axes) {
    axis = from_start(axis, rank);
    if (axis < 0 || axis >= rank) return std::nullopt;
  }
  std::sort(axes->begin(), axes->end());
  return axes;
}

class ReductionMerger {
 public:
  ReductionMerger(GraphEditor& graph, const ShapeFacts& facts, int64_t opset)
      : graph_(graph), facts_(facts), opset_(opset) {}

  int64_t merge(model::Node& node) {
    const auto* shape = facts_.shape(node.inputs[0]);
    if (!shape) return 0;
    const auto axes = axes_of(graph_, node, static_cast<int64_t>(shape->size()));
    if (!axes) return 0;
    const auto is_one = [&](int64_t axis) { return (*shape)[static_cast<size_t>(axis)] == 1; };
    if (node.is_one_of(kKeepOneNumber) && std::all_of(axes->begin(), axes->end(), is_one)) {
      return take_one(node, *axes);
    }
    return keep_axes(node, *axes, static_cast<int64_t>(shape->size()));
  }

 private:
  int64_t take_one(model::Node& node, const std::vector<int64_t>& axes) {
    if (node.int_or("keepdims", 1) != 0) return bypass(graph_, node, node.inputs[0]) ? 1 : 0;
    node.op_type = "Squeeze";
    node.attributes.clear();
    if (opset_ < kFirstSqueezeWithAxesInput) {
      node.set_attribute("axes", axes);
      graph_.set_inputs(node, {node.inputs[0]});
      return 1;
    }
    const auto count = static_cast<int64_t>(axes.size());
    const model::Constant constant = model::make_int64_constant("", {count}, axes);
    graph_.set_inputs(
        node, {node.inputs[0], graph_.add_constant(node.outputs[0] + "_axes", constant.tensor())});
    return 1;
  }

  int64_t keep_axes(model::Node& node, const std::vector<int64_t>& axes, int64_t rank) {
    if (node.int_or("keepdims", 1) != 0) return 0;
    model::Node* reader = only_reader(graph_, node.outputs[0]);
    if (!reader || !reader->is("Unsqueeze") || axes_of(graph_, *reader, rank) != axes) return 0;
    const std::string output = reader->outputs[0];
    graph_.remove(*reader);
    node.set_attribute("keepdims", int64_t{1});
    graph_.set_outputs(node, {output});
    return 1;
  }

  GraphEditor& graph_;
  const ShapeFacts& facts_;
  int64_t opset_;
};

}  // namespace

Result<PassOutcome> merge_reductions(model::Model& model, const PassContext& context) {
  if (!any_node(model, is_reduction)) return PassOutcome();
  const int64_t opset = model.opset("");
  return rewrite_graphs(model, context,
                        [opset](GraphEditor& graph, const model::ShapeTable& shapes) {
                          const ShapeFacts facts(shapes);
                          ReductionMerger merger(graph, facts, opset);
                          int64_t changed = 0;
                          for (model::Node* node : graph.nodes()) {
                            if (is_reduction(*node)) changed += merger.merge(*node);
                          }
                          return changed;
                        });
}

}  // namespace wattwise::optimize
