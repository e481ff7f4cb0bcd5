// SPDX-License-Identifier: Apache-2.0
// Limits in a row are one limit.
//
//   before:  Relu(x) -> Clip(0, 6)            after:  Clip(x, 0, 6)
//   before:  Max(x, 0) -> Min(6)              after:  Clip(x, 0, 6)
//   before:  Clip(x, 0, none)                 after:  Relu(x)
//
// Exact: limiting to [a, b] and then to [c, d] limits to [limit(a), limit(b)] of the second.
// ONNX Runtime computes Relu and Clip within the operator before them, Min and Max apart.
#include <algorithm>

#include "optimize/graph_editor.h"
#include "optimize/limits.h"
#include "optimize/passes/passes.h"
#include "optimize/rewrite_graphs.h"

namespace wattwise::optimize {
namespace {

/// Min and Max broadcast from here on.
constexpr int64_t kFirstBroadcastingMin = 8;
/// Min(x, 6), Max(0, x); the number may not add axes to x.
std::optional<LimitStep> extremum_step(const GraphEditor& graph, const model::Node& node,
                                       const model::ShapeTable& shapes) {
  if (node.inputs.size() != 2) return std::nullopt;
  const size_t slot = graph.constant(node.inputs[1]) ? 1 : 0;
  const model::Constant* constant = graph.constant(node.inputs[slot]);
  const std::string& input = node.inputs[1 - slot];
  const auto value = scalar_value(constant);
  if (!value || graph.constant(input)) return std::nullopt;
  const auto shape = shapes.find(input);
  const size_t rank = shape == shapes.end() ? 0 : shape->second.shape.size();
  if (constant->shape.size() > rank) return std::nullopt;
  return LimitStep{input, node.is("Min") ? Limits{-kNoLimit, *value} : Limits{*value, kNoLimit}};
}

class Limiting {
 public:
  Limiting(GraphEditor& graph, const model::ShapeTable& shapes, int64_t opset)
      : graph_(graph), shapes_(shapes), opset_(opset) {}

  int64_t run() {
    int64_t changed = 0;
    // Backwards, so that the last of a row takes in all before it.
    std::vector<model::Node*> nodes = graph_.nodes();
    std::reverse(nodes.begin(), nodes.end());
    for (model::Node* node : nodes) {
      const bool there = graph_.producer(node->outputs[0]) == node;
      const auto step = there ? read(*node) : std::nullopt;
      if (step) changed += rewrite(*node, *step);
    }
    return changed;
  }

 private:
  std::optional<LimitStep> read(const model::Node& node) const;
  int64_t rewrite(model::Node& node, const LimitStep& step);

  GraphEditor& graph_;
  const model::ShapeTable& shapes_;
  int64_t opset_;
};

std::optional<LimitStep> Limiting::read(const model::Node& node) const {
  if (node.inputs.empty()) return std::nullopt;
  if (node.is("Relu")) return LimitStep{node.inputs[0], {0, kNoLimit}};
  if (node.is("Clip")) return clip_step(graph_, node, opset_);
  if (opset_ < kFirstBroadcastingMin || !(node.is("Min") || node.is("Max"))) return std::nullopt;
  return extremum_step(graph_, node, shapes_);
}

int64_t Limiting::rewrite(model::Node& node, const LimitStep& step) {
  LimitStep whole = step;
  std::vector<model::Node*> merged = {&node};
  while (graph_.uses(whole.input) == 1) {
    model::Node* before = graph_.producer(whole.input);
    const auto inner = before ? read(*before) : std::nullopt;
    if (!inner || !inner->limits.in_order()) break;
    whole = {inner->input,
             {whole.limits.of(inner->limits.low), whole.limits.of(inner->limits.high)}};
    merged.push_back(before);
  }
  if (!whole.limits.in_order()) return 0;
  const bool is_relu = whole.limits.low == 0 && whole.limits.high >= kNoLimit;
  const bool better = is_relu ? !node.is("Relu") : node.is("Min") || node.is("Max");
  if (merged.size() == 1 && !better) return 0;
  for (model::Node* one : merged) graph_.remove(*one);
  add_limit(graph_, whole, node.outputs[0], opset_);
  return static_cast<int64_t>(merged.size());
}

}  // namespace

Result<PassOutcome> fuse_clip(model::Model& model, const PassContext& context) {
  const int64_t opset = model.opset("");
  if (opset < 6) return PassOutcome();
  return rewrite_graphs(model, context,
                        [opset](GraphEditor& graph, const model::ShapeTable& shapes) {
                          return Limiting(graph, shapes, opset).run();
                        });
}

}  // namespace wattwise::optimize
