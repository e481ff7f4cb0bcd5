// SPDX-License-Identifier: Apache-2.0
#include "optimize/bypass.h"

#include <algorithm>

namespace wattwise::optimize {
namespace {

bool reads_further_outputs(const GraphEditor& graph, const model::Node& node) {
  return std::any_of(node.outputs.begin() + 1, node.outputs.end(), [&](const std::string& output) {
    return !output.empty() && graph.uses(output) > 0;
  });
}

/// Lets the node that makes `value` make `output` instead, an output of the graph.
void rename(GraphEditor& graph, const std::string& value, const std::string& output) {
  model::Node& producer = *graph.producer(value);
  std::vector<std::string> outputs = producer.outputs;
  std::replace(outputs.begin(), outputs.end(), value, output);
  graph.set_outputs(producer, std::move(outputs));
  graph.replace_uses(value, output);
}

}  // namespace

bool bypass(GraphEditor& graph, model::Node& node, const std::string& value) {
  if (node.outputs.empty() || value.empty() || reads_further_outputs(graph, node)) return false;
  const std::string output = node.outputs[0];
  if (!graph.is_output(output)) {
    graph.remove(node);
    graph.replace_uses(output, value);
    return true;
  }
  const model::Node* producer = graph.producer(value);
  if (!producer || producer->is("Constant") || graph.is_output(value)) return false;
  graph.remove(node);
  rename(graph, value, output);
  return true;
}

Result<PassOutcome> bypass_nodes(model::Model& model, const PassContext& context,
                                 const SameValue& same_value) {
  PassOutcome outcome;
  ModelEditor& editor = context.open(model);
  for (GraphEditor& graph : editor.graphs()) {
    for (model::Node* node : graph.nodes()) {
      const auto value = same_value(graph, *node);
      if (value && bypass(graph, *node, *value)) ++outcome.changed;
    }
  }
  WATTWISE_TRY(editor.finish());
  return outcome;
}

bool any_node(const model::Model& model, const std::function<bool(const model::Node&)>& predicate) {
  bool found = false;
  model::for_each_graph(model.graph, [&](const model::Graph& graph, const std::string&) {
    found = found || std::any_of(graph.nodes.begin(), graph.nodes.end(), predicate);
  });
  return found;
}

}  // namespace wattwise::optimize
