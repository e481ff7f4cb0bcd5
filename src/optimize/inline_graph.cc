// SPDX-License-Identifier: Apache-2.0
#include "optimize/inline_graph.h"

#include <memory>
#include <utility>

#include "model/walk.h"
#include "optimize/graph_editor.h"

namespace wattwise::optimize {
namespace {

using Names = std::unordered_map<std::string, std::string>;

void rename(std::string& name, const Names& names) {
  if (const auto it = names.find(name); it != names.end()) name = it->second;
}

void rename_node(model::Node& node, const Names& names);

/// Renames what an inner graph reads from around it.
void rename_captured(model::Graph& graph, Names names) {
  for (const model::Value& input : graph.inputs) names.erase(input.name);
  for (const model::Constant& constant : graph.initializers) names.erase(constant.name);
  for (const model::SparseConstant& constant : graph.sparse_initializers) {
    names.erase(constant.name);
  }
  for (const model::Node& node : graph.nodes) {
    for (const std::string& output : node.outputs) names.erase(output);
  }
  for (model::Node& node : graph.nodes) rename_node(node, names);
  for (model::Value& output : graph.outputs) rename(output.name, names);
}

void rename_node(model::Node& node, const Names& names) {
  for (std::string& input : node.inputs) rename(input, names);
  for (std::string& output : node.outputs) rename(output, names);
  for (model::Attribute& attribute : node.attributes) {
    if (auto* one = std::get_if<std::shared_ptr<model::Graph>>(&attribute.value)) {
      rename_captured(**one, names);
    }
    auto* many = std::get_if<std::vector<std::shared_ptr<model::Graph>>>(&attribute.value);
    if (!many) continue;
    for (const auto& inner : *many) rename_captured(*inner, names);
  }
}

}  // namespace

model::Node make_constant_node(model::Constant constant, std::string name) {
  model::Node node = make_node("Constant", {}, std::move(name));
  constant.name.clear();
  node.set_attribute("value", std::make_shared<model::Constant>(std::move(constant)));
  return node;
}

Inliner::Inliner(const model::Graph& main_graph) : names_(main_graph) {
  model::for_each_graph(main_graph, [&](const model::Graph& graph, const std::string&) {
    for (const model::Value& input : graph.inputs) ++definitions_[input.name];
    for (const model::Constant& constant : graph.initializers) ++definitions_[constant.name];
    for (const model::Node& node : graph.nodes) {
      for (const std::string& output : node.outputs) ++definitions_[output];
      ++node_names_[node.name];
    }
  });
}

void Inliner::rename_own(const std::string& name, Names& names) {
  if (name.empty()) return;
  // The next copy of the graph must not make it again.
  if (definitions_[name]++ > 1) names.emplace(name, names_.unique(name));
}

std::vector<model::Node> Inliner::inline_graph(model::Graph body, const GraphEnds& ends) {
  Names names;
  std::unordered_map<std::string, bool> made;  // by a node of the body, and not yet an output
  for (size_t i = 0; i < body.inputs.size(); ++i) names[body.inputs[i].name] = ends.inputs[i];
  for (const model::Node& node : body.nodes) {
    for (const std::string& output : node.outputs) made[output] = true;
  }
  std::vector<std::pair<std::string, std::string>> copies;
  for (size_t i = 0; i < ends.outputs.size(); ++i) {
    const std::string& inside = body.outputs[i].name;
    if (ends.outputs[i].empty()) continue;
    if (made[inside]) {
      names[inside] = ends.outputs[i];
      made[inside] = false;
    } else {
      copies.emplace_back(inside, ends.outputs[i]);
    }
  }
  std::vector<model::Node> nodes;
  for (model::Constant& constant : body.initializers) {
    rename_own(constant.name, names);
    std::string name = constant.name;
    rename(name, names);
    nodes.push_back(make_constant_node(std::move(constant), std::move(name)));
  }
  for (const model::Node& node : body.nodes) {
    for (const std::string& output : node.outputs) {
      if (!names.contains(output)) rename_own(output, names);
    }
  }
  for (model::Node& node : body.nodes) {
    rename_node(node, names);
    if (!node.name.empty() && node_names_[node.name]++ > 1) node.name = names_.unique(node.name);
    nodes.push_back(std::move(node));
  }
  for (auto& [inside, outside] : copies) {
    rename(inside, names);
    nodes.push_back(make_node("Identity", {inside}, outside));
  }
  return nodes;
}

}  // namespace wattwise::optimize
