// SPDX-License-Identifier: Apache-2.0
// Transposes in a row are one, or none.
//
//   before:  Transpose(x, p) -> t;  Transpose(t, q) -> y    after:  Transpose(x, r), r[i] = p[q[i]]
//   before:  Transpose(x, (0, 1, 2)) -> y                   after:  x
//
// Exact: axis i of y is axis q[i] of t, which is axis p[q[i]] of x. Without `perm` the axes are
// reversed. The first transpose stays if someone else reads it.
#include <algorithm>

#include "optimize/bypass.h"
#include "optimize/passes/passes.h"

namespace wattwise::optimize {
namespace {

using Axes = std::vector<int64_t>;

Axes reversed(size_t rank) {
  Axes axes(rank);
  for (size_t i = 0; i < rank; ++i) axes[i] = static_cast<int64_t>(rank - 1 - i);
  return axes;
}

bool is_identity(const Axes& axes) {
  for (size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] != static_cast<int64_t>(i)) return false;
  }
  return !axes.empty();
}

/// The axes of Transpose(Transpose(x, first), second); absent if they do not fit. Empty axes mean
/// the order reversed.
std::optional<Axes> composed(Axes first, Axes second) {
  if (first.empty()) first = reversed(second.size());
  if (second.empty()) second = reversed(first.size());
  if (first.size() != second.size()) return std::nullopt;
  for (int64_t& axis : second) {
    if (axis < 0 || axis >= static_cast<int64_t>(first.size())) return std::nullopt;
    axis = first[static_cast<size_t>(axis)];
  }
  return second;
}

/// Reads through the transpose before this one; true if there is one.
bool skip_first_transpose(GraphEditor& graph, model::Node& node) {
  const model::Node* first = graph.producer_if(node.inputs[0], "Transpose");
  if (!first) return false;
  const Axes own = node.ints_or_empty("perm");
  const Axes before = first->ints_or_empty("perm");
  const bool both_reverse = own.empty() && before.empty();
  const auto axes = composed(before, own);
  if (both_reverse || !axes) return false;
  graph.set_input(node, 0, first->inputs[0]);
  node.set_attribute("perm", *axes);
  return true;
}

/// The value that the transpose returns unchanged.
std::optional<std::string> unchanged(const GraphEditor& graph, const model::Node& node) {
  const Axes own = node.ints_or_empty("perm");
  if (is_identity(own)) return node.inputs[0];
  const model::Node* first = graph.producer_if(node.inputs[0], "Transpose");
  if (first && own.empty() && first->ints_or_empty("perm").empty()) return first->inputs[0];
  return std::nullopt;
}

}  // namespace

Result<PassOutcome> merge_transposes(model::Model& model, const PassContext& context) {
  const auto is_transpose = [](const model::Node& node) { return node.is("Transpose"); };
  PassOutcome outcome;
  if (!any_node(model, is_transpose)) return outcome;
  ModelEditor& editor = context.open(model);
  for (GraphEditor& graph : editor.graphs()) {
    for (model::Node* node : graph.nodes()) {
      if (!is_transpose(*node)) continue;
      while (skip_first_transpose(graph, *node)) ++outcome.changed;
      const auto value = unchanged(graph, *node);
      if (value && bypass(graph, *node, *value)) ++outcome.changed;
    }
  }
  WATTWISE_TRY(editor.finish());
  return outcome;
}

}  // namespace wattwise::optimize
