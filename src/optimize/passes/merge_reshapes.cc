// SPDX-License-Identifier: Apache-2.0
// Of Reshape, Flatten, Squeeze and Unsqueeze in a row only the last shape counts.
//
//   before:  Squeeze(x) -> s;  Reshape(s) -> r;  Unsqueeze(r) -> y    after:  Reshape(x, shape of
//   y) before:  Reshape(x, the shape that x has) -> y                    after:  x
//
// Exact: none of them moves an element. The shape of y must be known but for one size, which is
// written as -1, and hold no 0; or the last node must be a Reshape to such a constant. Also taken
// out, whatever the sizes: Flatten of a matrix, Reshape(x, Shape(x)), and a Squeeze and an
// Unsqueeze of the same axes; two Squeezes, or two Unsqueezes, of constant axes become one. The
// first nodes stay if someone else reads them.
#include <algorithm>
#include <array>

#include "optimize/bypass.h"
#include "optimize/passes/passes.h"
#include "optimize/rewrite_graphs.h"
#include "optimize/shape_facts.h"

namespace wattwise::optimize {
namespace {

using Sizes = std::vector<int64_t>;
/// First opset whose Reshape takes the shape as an input.
constexpr int64_t kShapeInput = 5;
constexpr auto kOps =
    std::to_array<std::string_view>({"Reshape", "Flatten", "Squeeze", "Unsqueeze"});

bool is_reshaping(const model::Node& node) { return node.is_one_of(kOps); }

/// At most one size that is not known or depends on the input, and none of them 0.
bool is_definite(const Sizes& sizes) {
  return std::count(sizes.begin(), sizes.end(), -1) <= 1 &&
         std::find(sizes.begin(), sizes.end(), 0) == sizes.end();
}

/// The shape to ask of one Reshape in place of all.
std::optional<Sizes> wanted_shape(const GraphEditor& graph, const model::Node& node,
                                  const ShapeFacts& facts) {
  if (const Sizes* shape = facts.shape(node.outputs[0]); shape && is_definite(*shape)) {
    return *shape;
  }
  if (!node.is("Reshape")) return std::nullopt;
  const auto asked = integers_at(graph, node, 1);
  return asked && is_definite(*asked) ? asked : std::nullopt;
}

bool same_axes(const GraphEditor& graph, const model::Node& a, const model::Node& b) {
  auto left = integers_of(graph, a, "axes", 1);
  auto right = integers_of(graph, b, "axes", 1);
  if (!left || !right) return false;
  std::sort(left->begin(), left->end());
  std::sort(right->begin(), right->end());
  return *left == *right;
}

/// True if `second`, reading `first`, takes back what it did.
bool takes_back(const GraphEditor& graph, const model::Node& first, const model::Node& second) {
  const bool opposite = (first.is("Squeeze") && second.is("Unsqueeze")) ||
                        (first.is("Unsqueeze") && second.is("Squeeze"));
  return opposite && same_axes(graph, first, second);
}

/// Reshape to a shape that is asked for in terms of x's own.
bool asks_for_own_shape(const GraphEditor& graph, const model::Node& node, const Sizes& own) {
  const auto asked = integers_at(graph, node, 1);
  if (!asked || asked->size() != own.size() || node.int_or("allowzero", 0) != 0) return false;
  int open = 0;
  for (size_t i = 0; i < own.size(); ++i) {
    if ((*asked)[i] == 0 || ((*asked)[i] == own[i] && own[i] > 0)) continue;
    if ((*asked)[i] != -1 || own[i] == 0) return false;
    ++open;
  }
  return open <= 1;
}

/// The axes that two Unsqueezes in a row add, or two Squeezes take away, at once; counted on the
/// side that has all of them. `outer` is the node on that side: the second Unsqueeze, the first
/// Squeeze. Each part of `inner` is counted without those.
std::vector<int64_t> united_axes(std::vector<int64_t> outer, const std::vector<int64_t>& inner) {
  std::sort(outer.begin(), outer.end());
  std::vector<int64_t> all = outer;
  for (int64_t axis : inner) {
    for (const int64_t taken : outer) axis += taken <= axis ? 1 : 0;
    all.push_back(axis);
  }
  std::sort(all.begin(), all.end());
  return all;
}

class ReshapeMerger {
 public:
  ReshapeMerger(GraphEditor& graph, const ShapeFacts& facts) : graph_(graph), facts_(facts) {}

  int64_t merge(model::Node& node) {
    if (node.inputs.empty()) return 0;
    if (const auto value = unchanged(node); value && bypass(graph_, node, *value)) return 1;
    model::Node* first = graph_.producer(node.inputs[0]);
    if (!first || !is_reshaping(*first)) return 0;
    const auto shape = wanted_shape(graph_, node, facts_);
    if (!shape) return unite(*first, node) ? 1 : 0;
    reshape_at_once(node, first->inputs[0], *shape);
    return 1;
  }

 private:
  std::optional<std::string> unchanged(const model::Node& node) const {
    const std::string& input = node.inputs[0];
    const model::Node* first = graph_.producer(input);
    if (first && takes_back(graph_, *first, node)) return first->inputs[0];
    if (keeps_shape(node)) return input;
    return std::nullopt;
  }

  /// Axes of an Unsqueeze or Squeeze from the start; absent where they are not known.
  std::optional<Sizes> axes_from_start(const model::Node& node) const {
    auto axes = integers_of(graph_, node, "axes", 1);
    const auto rank = facts_.rank(node.is("Squeeze") ? node.inputs[0] : node.outputs[0]);
    if (!axes || axes->empty() || !rank) return std::nullopt;
    for (int64_t& axis : *axes) axis = from_start(axis, *rank);
    return axes;
  }

  bool unite(const model::Node& first, model::Node& second) {
    const bool removes = first.is("Squeeze") && second.is("Squeeze");
    if (!removes && !(first.is("Unsqueeze") && second.is("Unsqueeze"))) return false;
    const auto a = axes_from_start(first);
    const auto b = axes_from_start(second);
    if (!a || !b) return false;
    const Sizes axes = removes ? united_axes(*a, *b) : united_axes(*b, *a);
    if (second.attribute("axes")) {
      second.set_attribute("axes", axes);
      graph_.set_inputs(second, {first.inputs[0]});
    } else {
      const std::string constant =
          graph_.add_constant(second.outputs[0] + "_axes",
                              make_int64_tensor({static_cast<int64_t>(axes.size())}, axes));
      graph_.set_inputs(second, {first.inputs[0], constant});
    }
    return true;
  }

  bool keeps_shape(const model::Node& node) const {
    const std::string& input = node.inputs[0];
    const Sizes* own = facts_.shape(input);
    if (node.is("Reshape")) {
      if (reads_shape_of(node, input)) return true;
      if (own && asks_for_own_shape(graph_, node, *own)) return true;
    }
    const Sizes* made = facts_.shape(node.outputs[0]);
    if (own && node.is("Flatten")) return own->size() == 2 && node.int_or("axis", 1) == 1;
    return own && made && is_same_layout(*own, *made);
  }

  bool reads_shape_of(const model::Node& reshape, const std::string& value) const {
    if (reshape.int_or("allowzero", 0) != 0 || !has_input(reshape, 1)) return false;
    const model::Node* shape = graph_.producer_if(reshape.inputs[1], "Shape");
    return shape && shape->attributes.empty() && shape->inputs[0] == value;
  }

  void reshape_at_once(model::Node& node, const std::string& value, const Sizes& sizes) {
    const std::string shape = graph_.add_constant(
        node.outputs[0] + "_shape", make_int64_tensor({static_cast<int64_t>(sizes.size())}, sizes));
    node.op_type = "Reshape";
    node.attributes.clear();
    graph_.set_inputs(node, {value, shape});
  }

  GraphEditor& graph_;
  const ShapeFacts& facts_;
};

}  // namespace

Result<PassOutcome> merge_reshapes(model::Model& model, const PassContext& context) {
  if (model.opset("") < kShapeInput || !any_node(model, is_reshaping)) return PassOutcome();
  return rewrite_graphs(model, context, [](GraphEditor& graph, const model::ShapeTable& shapes) {
    const ShapeFacts facts(shapes);
    ReshapeMerger merger(graph, facts);
    int64_t changed = 0;
    for (model::Node* node : graph.nodes()) {
      if (is_reshaping(*node)) changed += merger.merge(*node);
    }
    return changed;
  });
}

}  // namespace wattwise::optimize
