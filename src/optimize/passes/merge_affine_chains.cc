// SPDX-License-Identifier: Apache-2.0
// Multiplications and additions of constants in a row are at most one of each.
//
//   before:  Mul(x, a) -> Div(b) -> Add(c) -> Sub(d)      after:  Mul(x, a/b) -> Add(c - d)
//
// ((x s + t) u + v) = x (su) + (tu + v), computed in double precision. Constants broadcast against
// each other as they did against x, so the shape of the result stays; a scale of 1 and a shift of 0
// that come out of it go away where they leave x's shape. Spelled-out layer normalizations and
// GELUs stay whole, since ONNX Runtime makes one kernel of them.
#include <algorithm>

#include "optimize/affine.h"
#include "optimize/passes/passes.h"
#include "optimize/rewrite_graphs.h"
#include "optimize/runtime_fusions.h"

namespace wattwise::optimize {
namespace {

struct AffineChain {
  std::vector<model::Node*> nodes;  ///< the last first
  std::string input;
  Affine affine;
  size_t largest = 1;  ///< elements of the largest constant
};

bool is_affine(const model::Node& node) {
  return node.is("Mul") || node.is("Div") || node.is("Add") || node.is("Sub");
}

std::optional<AffineStep> step_at(const GraphEditor& graph, model::Node* node) {
  if (!node || !is_affine(*node)) return std::nullopt;
  auto step = affine_step(graph, *node, 0);
  if (step && starts_fused_tail(graph, step->input)) return std::nullopt;
  return step;
}

/// The longest chain that ends with the node.
AffineChain chain_to(const GraphEditor& graph, model::Node& last) {
  AffineChain chain{{}, last.outputs[0], {}};
  for (auto step = step_at(graph, &last); step;
       step = step_at(graph, graph.producer(chain.input))) {
    if (!chain.nodes.empty() && graph.uses(chain.input) != 1) break;
    const size_t largest = std::max(
        {chain.largest, step->affine.scale.values.size(), step->affine.shift.values.size()});
    auto whole = compose(step->affine, chain.affine);
    if (!whole || std::max(whole->scale.values.size(), whole->shift.values.size()) > largest) break;
    chain.affine = std::move(*whole);
    chain.largest = largest;
    chain.nodes.push_back(step->node);
    chain.input = step->input;
  }
  return chain;
}

double first_of(double a, double) { return a; }

/// Whether a constant of this shape leaves the value's shape as it is.
bool fits_inside(const std::vector<int64_t>& constant, const std::vector<int64_t>& value) {
  if (constant.size() > value.size()) return false;
  const size_t ahead = value.size() - constant.size();
  for (size_t i = 0; i < constant.size(); ++i) {
    if (constant[i] != 1 && constant[i] != value[ahead + i]) return false;
  }
  return true;
}

/// The constants of the nodes to come. What goes away leaves its shape to what stays.
struct Parts {
  std::optional<Tensor> scale;
  std::optional<Tensor> shift;
};

std::optional<Parts> parts_of(const Affine& affine) {
  const bool scales = !affine.scale.all(1);
  const bool shifts = !affine.shift.all(0);
  const auto scale = shifts ? affine.scale : broadcast(affine.scale, affine.shift, first_of);
  const auto shift = broadcast(affine.shift, affine.scale, first_of);
  if (!scale || !shift) return std::nullopt;
  Parts parts;
  if (scales) parts.scale = float_tensor(*scale);
  if (shifts) parts.shift = float_tensor(*shift);
  if (scales != parts.scale.has_value() || shifts != parts.shift.has_value()) return std::nullopt;
  return parts;
}

class Merging {
 public:
  Merging(GraphEditor& graph, const model::ShapeTable& shapes) : graph_(graph), shapes_(shapes) {}

  int64_t run() {
    int64_t changed = 0;
    std::vector<model::Node*> nodes = graph_.nodes();
    std::reverse(nodes.begin(), nodes.end());
    for (model::Node* node : nodes) {
      const bool there = !node->outputs.empty() && graph_.producer(node->outputs[0]) == node;
      if (there && is_affine(*node)) changed += rewrite(chain_to(graph_, *node));
    }
    return changed;
  }

 private:
  int64_t rewrite(const AffineChain& chain);
  int64_t bypass(const AffineChain& chain);

  GraphEditor& graph_;
  const model::ShapeTable& shapes_;
};

int64_t Merging::bypass(const AffineChain& chain) {
  const std::string result = chain.nodes.front()->outputs[0];
  const auto shape = shapes_.find(chain.input);
  const auto joint = broadcast(chain.affine.scale, chain.affine.shift, first_of);
  if (graph_.is_output(result) || shape == shapes_.end() || !joint ||
      !fits_inside(joint->shape, shape->second.shape)) {
    return 0;
  }
  graph_.replace_uses(result, chain.input);
  for (model::Node* node : chain.nodes) graph_.remove(*node);
  return static_cast<int64_t>(chain.nodes.size());
}

int64_t Merging::rewrite(const AffineChain& chain) {
  const auto parts = parts_of(chain.affine);
  if (!parts || chain.nodes.size() < 2) return 0;
  const size_t left = (parts->scale ? 1 : 0) + (parts->shift ? 1 : 0);
  if (left >= chain.nodes.size()) return 0;
  if (left == 0) return bypass(chain);
  const std::string result = chain.nodes.front()->outputs[0];
  for (model::Node* node : chain.nodes) graph_.remove(*node);
  std::string value = chain.input;
  if (parts->scale) {
    const std::string scaled = parts->shift ? graph_.unique(result + "_scaled") : result;
    const std::string scale = graph_.add_constant(result + "_scale", *parts->scale);
    graph_.add(make_node("Mul", {value, scale}, scaled));
    value = scaled;
  }
  if (parts->shift) {
    const std::string shift = graph_.add_constant(result + "_shift", *parts->shift);
    graph_.add(make_node("Add", {value, shift}, result));
  }
  return static_cast<int64_t>(chain.nodes.size());
}

}  // namespace

Result<PassOutcome> merge_affine_chains(model::Model& model, const PassContext& context) {
  if (model.opset("") < kFirstBroadcastingOpset) return PassOutcome();
  return rewrite_graphs_by<Merging>(model, context);
}

}  // namespace wattwise::optimize
