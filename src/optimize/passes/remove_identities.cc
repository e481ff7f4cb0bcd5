// SPDX-License-Identifier: Apache-2.0
// A node that returns its input unchanged is not needed.
//
//   before:  Identity(x) -> y;  Relu(y)        after:  Relu(x)
//
// Exact: y = x. Taken out: Identity, and Dropout whose mask is not read (at inference it passes its
// input through; from opset 12 on only without a training_mode input). A node whose output is an
// output of its graph stays, since outputs keep their names.
#include <algorithm>

#include "model/graph_edit.h"
#include "model/walk.h"
#include "optimize/passes/passes.h"

namespace wattwise::optimize {
namespace {

bool passes_through(const model::Node& node, const std::unordered_map<std::string, int>& uses) {
  if (node.is("Identity")) return true;
  if (!node.is("Dropout") || node.int_or("is_test", 1) == 0) return false;
  const bool mask_read = node.outputs.size() > 1 && uses.contains(node.outputs[1]);
  const bool may_train = node.inputs.size() > 2 && !node.inputs[2].empty();
  return !mask_read && !may_train;
}

int64_t remove_in(model::Graph& graph) {
  const auto uses = model::count_uses(graph);
  const auto is_output = [&](const std::string& name) {
    return std::any_of(graph.outputs.begin(), graph.outputs.end(),
                       [&](const model::Value& value) { return value.name == name; });
  };
  std::vector<std::pair<std::string, std::string>> bypassed;
  std::erase_if(graph.nodes, [&](const model::Node& node) {
    if (!passes_through(node, uses) || node.inputs.empty() || is_output(node.outputs[0])) {
      return false;
    }
    bypassed.emplace_back(node.outputs[0], node.inputs[0]);
    return true;
  });
  // A chain x -> y -> z was met in order, so y's replacement is known before z's is applied.
  for (size_t i = 0; i < bypassed.size(); ++i) {
    model::replace_uses(graph, bypassed[i].first, bypassed[i].second);
    for (size_t j = i + 1; j < bypassed.size(); ++j) {
      if (bypassed[j].second == bypassed[i].first) bypassed[j].second = bypassed[i].second;
    }
  }
  return static_cast<int64_t>(bypassed.size());
}

}  // namespace

Result<PassOutcome> remove_identities(model::Model& model, const PassContext&) {
  PassOutcome outcome;
  model::for_each_graph(model.graph, [&](model::Graph& graph, const std::string&) {
    outcome.changed += remove_in(graph);
  });
  return outcome;
}

}  // namespace wattwise::optimize
