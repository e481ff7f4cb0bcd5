// SPDX-License-Identifier: Apache-2.0
// Shape arithmetic whose result no input can change is done once, here.
//
//   before:  Shape(x) -> s;  Gather(s, 1) -> n;  Concat(-1, n) -> t;  Reshape(y, t)
//   after:   t = [-1, 128];  Reshape(y, t)                       with x of [batch, 128]
//
// Exact: integers and bools only, of values whose every element follows from constants and from
// dimensions that the runtime infers for every input. One that could overflow stays.
#include <algorithm>

#include "model/walk.h"
#include "optimize/partial_values.h"
#include "optimize/passes/passes.h"

namespace wattwise::optimize {
namespace {

/// What follows from constants alone is fold_constants' work; without these nothing else is known.
bool asks_for_shapes(const model::Model& model) {
  bool asks = false;
  model::for_each_graph(model.graph, [&](const model::Graph& graph, const std::string&) {
    asks |= std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const model::Node& node) {
      return node.is("Shape") || node.is("Size");
    });
  });
  return asks;
}

}  // namespace

Result<PassOutcome> fold_shapes(model::Model& model, const PassContext& context) {
  if (!asks_for_shapes(model)) return PassOutcome();
  const model::ShapeTable* shapes = WATTWISE_TRY(context.shapes(model));
  return PassOutcome{fold_known(model, *shapes), {}};
}

}  // namespace wattwise::optimize
