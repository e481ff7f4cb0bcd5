// SPDX-License-Identifier: Apache-2.0
#include "model/graph_edit.h"

#include <fmt/format.h>

#include <algorithm>
#include <queue>
#include <unordered_map>

#include "model/walk.h"

namespace wattwise::model {
namespace {

/// Calls `visit` for each graph that the node holds.
template <typename NodeType, typename Visit>
void for_each_inner(NodeType& node, const Visit& visit) {
  for (auto& attribute : node.attributes) {
    if (auto* one = std::get_if<std::shared_ptr<Graph>>(&attribute.value)) visit(*one);
    if (auto* many = std::get_if<std::vector<std::shared_ptr<Graph>>>(&attribute.value)) {
      for (auto& graph : *many) visit(graph);
    }
  }
}

bool defines(const Graph& graph, std::string_view name) {
  const auto named = [&](const auto& item) { return item.name == name; };
  return std::any_of(graph.inputs.begin(), graph.inputs.end(), named) ||
         std::any_of(graph.initializers.begin(), graph.initializers.end(), named) ||
         std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
           return std::find(node.outputs.begin(), node.outputs.end(), name) != node.outputs.end();
         });
}

/// Names that a node reads from outside: its inputs and what its graphs take from around them.
std::vector<std::string> outer_names(const Node& node) {
  std::vector<std::string> names = node.inputs;
  for_each_inner(node, [&](const std::shared_ptr<Graph>& inner) {
    for (const auto& [name, count] : count_uses(*inner)) {
      if (!defines(*inner, name)) names.push_back(name);
    }
  });
  return names;
}

}  // namespace

Graph clone(const Graph& graph) {
  Graph copy = graph;
  for (Node& node : copy.nodes) {
    for_each_inner(node, [](std::shared_ptr<Graph>& inner) {
      inner = std::make_shared<Graph>(clone(*inner));
    });
    for (Attribute& attribute : node.attributes) {
      if (auto* one = std::get_if<std::shared_ptr<Constant>>(&attribute.value)) {
        *one = std::make_shared<Constant>(**one);
      } else if (auto* many =
                     std::get_if<std::vector<std::shared_ptr<Constant>>>(&attribute.value)) {
        for (auto& constant : *many) constant = std::make_shared<Constant>(*constant);
      }
    }
  }
  return copy;
}

Model clone(const Model& model) {
  Model copy = model;
  copy.graph = clone(model.graph);
  return copy;
}

NameMaker::NameMaker(const Graph& main_graph) {
  for_each_graph(main_graph, [&](const Graph& graph, const std::string&) {
    for (const Value& value : graph.inputs) taken_.insert(value.name);
    for (const Value& value : graph.outputs) taken_.insert(value.name);
    for (const Constant& constant : graph.initializers) taken_.insert(constant.name);
    for (const Node& node : graph.nodes) {
      taken_.insert(node.outputs.begin(), node.outputs.end());
      taken_.insert(node.inputs.begin(), node.inputs.end());
      taken_.insert(node.name);
    }
  });
}

std::string NameMaker::unique(std::string_view base) {
  std::string name(base);
  for (int i = 1; !taken_.insert(name).second; ++i) name = fmt::format("{}_{}", base, i);
  return name;
}

void replace_uses(Graph& graph, std::string_view from, std::string_view to) {
  for (Node& node : graph.nodes) {
    std::replace(node.inputs.begin(), node.inputs.end(), std::string(from), std::string(to));
    for_each_inner(node, [&](std::shared_ptr<Graph>& inner) {
      if (!defines(*inner, from)) replace_uses(*inner, from, to);
    });
  }
}

Result<void> sort_nodes(Graph& graph) {
  std::unordered_map<std::string, size_t> maker;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const std::string& name : graph.nodes[i].outputs) {
      if (!name.empty()) maker[name] = i;
    }
  }
  std::vector<std::vector<size_t>> readers(graph.nodes.size());
  std::vector<int> waiting(graph.nodes.size());
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const std::string& name : outer_names(graph.nodes[i])) {
      const auto it = maker.find(name);
      if (it == maker.end()) continue;
      readers[it->second].push_back(i);
      ++waiting[i];
    }
  }
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (size_t i = 0; i < waiting.size(); ++i) {
    if (waiting[i] == 0) ready.push(i);
  }
  std::vector<Node> sorted;
  while (!ready.empty()) {
    const size_t i = ready.top();
    ready.pop();
    sorted.push_back(std::move(graph.nodes[i]));
    for (const size_t reader : readers[i]) {
      if (--waiting[reader] == 0) ready.push(reader);
    }
  }
  if (sorted.size() != graph.nodes.size()) {
    const auto stuck = std::find_if(waiting.begin(), waiting.end(), [](int n) { return n > 0; });
    const std::string& op = graph.nodes[static_cast<size_t>(stuck - waiting.begin())].op_type;
    return Error(ErrorCode::kCorrupt, fmt::format("the graph has a cycle through a {} node", op));
  }
  graph.nodes = std::move(sorted);
  return {};
}

namespace {

int64_t remove_unused_once(Graph& graph) {
  const auto uses = count_uses(graph);
  const auto unused = [&](const std::string& name) { return name.empty() || !uses.contains(name); };
  const auto before = graph.nodes.size() + graph.initializers.size();
  std::erase_if(graph.nodes, [&](const Node& node) {
    return !node.outputs.empty() && std::all_of(node.outputs.begin(), node.outputs.end(), unused);
  });
  const auto is_input = [&](const std::string& name) {
    return std::any_of(graph.inputs.begin(), graph.inputs.end(),
                       [&](const Value& value) { return value.name == name; });
  };
  std::erase_if(graph.initializers, [&](const Constant& constant) {
    return unused(constant.name) && !is_input(constant.name);
  });
  return static_cast<int64_t>(before - graph.nodes.size() - graph.initializers.size());
}

}  // namespace

int64_t remove_unused(Graph& graph) {
  int64_t removed = 0;
  for (Node& node : graph.nodes) {
    for_each_inner(node, [&](std::shared_ptr<Graph>& inner) { removed += remove_unused(*inner); });
  }
  for (int64_t now = remove_unused_once(graph); now > 0; now = remove_unused_once(graph)) {
    removed += now;
  }
  return removed;
}

}  // namespace wattwise::model
