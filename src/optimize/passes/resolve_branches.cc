// SPDX-License-Identifier: Apache-2.0
// An `If` that always takes the same branch is that branch; a `Loop` that runs once is its body,
// and one that runs a few times is its body so many times.
//
//   before:  If(true){Conv(x, w) -> y}{Identity(x) -> z} -> r;  Relu(r)
//   after:   Conv(x, w) -> r;  Relu(r)
//   before:  Loop(2, x){Exp(carried) -> next, stacked} -> y, all
//   after:   Exp(x) -> a;  Exp(a) -> y;  Concat(Unsqueeze(a), Unsqueeze(y)) -> all
//
// Exact: the nodes that ran run, without a session of their own. The condition may be constant, or
// follow: where one branch would make the nodes after it contradict each other for every input (a
// tensor of rank 3 for a node that takes rank 2), no input that the model accepts takes it.
// Left alone: a loop of several runs that take more bytes than the loop did.
#include <fmt/format.h>

#include <algorithm>

#include "model/walk.h"
#include "optimize/dead_branch.h"
#include "optimize/passes/passes.h"
#include "optimize/static_branches.h"

namespace wattwise::optimize {
namespace {

/// Each trial costs a few inferences of one graph.
constexpr size_t kMaxTrials = 8;

bool ranks_differ(const model::Node& node, const model::ShapeTable& shapes) {
  const model::Graph* yes = branch_of(node, true);
  const model::Graph* no = branch_of(node, false);
  if (!node.is("If") || !yes || !no) return false;
  for (size_t i = 0; i < std::min(yes->outputs.size(), no->outputs.size()); ++i) {
    const auto a = shapes.find(yes->outputs[i].name);
    const auto b = shapes.find(no->outputs[i].name);
    if (a == shapes.end() || b == shapes.end()) continue;
    if (a->second.shape.size() != b->second.shape.size()) return true;
  }
  return false;
}

bool has_branches(const model::Model& model) {
  bool has = false;
  model::for_each_graph(model.graph, [&](const model::Graph& graph, const std::string&) {
    has |= std::any_of(graph.nodes.begin(), graph.nodes.end(),
                       [](const model::Node& node) { return node.is("If"); });
  });
  return has;
}

std::vector<Place> candidates(const model::Model& model, const model::ShapeTable& shapes) {
  std::vector<Place> places;
  model::for_each_graph(model.graph, [&](const model::Graph& graph, const std::string&) {
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      if (ranks_differ(graph.nodes[i], shapes)) places.push_back({graph, i});
    }
  });
  return places;
}

Result<Resolved> resolve_dead_branches(model::Model& model, const PassContext& context) {
  Resolved all;
  if (!has_branches(model)) return all;
  const model::ShapeTable* shapes = WATTWISE_TRY(context.shapes(model));
  Conditions known;
  const auto places = candidates(model, *shapes);
  for (size_t i = 0; i < std::min(places.size(), kMaxTrials); ++i) {
    const model::Node& node = places[i].graph.nodes[places[i].node];
    const auto dead = WATTWISE_TRY(find_dead_branch(model, places[i], context));
    if (!dead) continue;
    known[&node] = dead->condition;
    all.decisions.push_back(
        {"resolve", subject_of(node),
         fmt::format("its {} branch is always taken, since the other leads to {}",
                     dead->condition ? "then" : "else", dead->why)});
  }
  if (known.empty()) return all;
  Resolved resolved = resolve_static_branches(model, known);
  all.count = resolved.count;
  return all;
}

}  // namespace

Result<PassOutcome> resolve_branches(model::Model& model, const PassContext& context) {
  Resolved resolved = resolve_static_branches(model, {});
  if (resolved.count == 0) {
    Resolved dead = WATTWISE_TRY(resolve_dead_branches(model, context));
    resolved.count += dead.count;
    resolved.decisions.insert(resolved.decisions.end(), dead.decisions.begin(),
                              dead.decisions.end());
  }
  return PassOutcome{resolved.count, std::move(resolved.decisions)};
}

}  // namespace wattwise::optimize
