// SPDX-License-Identifier: Apache-2.0
// A `Constant` node is an initializer in another place.
//
//   before:  Constant{value=W} -> w;  Conv(x, w)        after:  initializer w = W;  Conv(x, w)
//
// Exact: no value changes. Inner graphs keep their constants to themselves. A constant that is a
// graph's output stays a node, since some runtimes refuse initializers as outputs.
#include <algorithm>

#include "model/walk.h"
#include "optimize/passes/passes.h"

namespace wattwise::optimize {
namespace {

bool is_output(const model::Graph& graph, const std::string& name) {
  return std::any_of(graph.outputs.begin(), graph.outputs.end(),
                     [&](const model::Value& value) { return value.name == name; });
}

int64_t lift_in(model::Graph& graph) {
  const size_t before = graph.nodes.size();
  std::erase_if(graph.nodes, [&](model::Node& node) {
    if (!node.is("Constant") || node.attributes.size() != 1) return false;
    auto* value = std::get_if<std::shared_ptr<model::Constant>>(&node.attributes[0].value);
    if (!value || is_output(graph, node.outputs[0])) return false;
    model::Constant constant = std::move(**value);
    constant.name = node.outputs[0];
    graph.initializers.push_back(std::move(constant));
    return true;
  });
  return static_cast<int64_t>(before - graph.nodes.size());
}

}  // namespace

Result<PassOutcome> lift_constants(model::Model& model, const PassContext&) {
  // From IR version 4 on an initializer need not be an input too, and only then it is constant.
  if (model.ir_version < 4) {
    return PassOutcome{
        0,
        {{"refuse", "lift_constants", "before IR version 4 an initializer must also be an input"}}};
  }
  PassOutcome outcome;
  const model::ConstantIndex index(model.graph);  // rewrites value_float and its kin as tensors
  model::for_each_graph(model.graph, [&](model::Graph& graph, const std::string&) {
    outcome.changed += lift_in(graph);
  });
  return outcome;
}

}  // namespace wattwise::optimize
