// SPDX-License-Identifier: Apache-2.0
#include "model/walk.h"

#include <type_traits>

namespace wattwise::model {
namespace {

/// Calls `visit(subgraph, attribute)` for each graph that a node holds.
template <typename NodeType, typename Visit>
void for_each_subgraph(NodeType& node, const Visit& visit) {
  using GraphType = std::conditional_t<std::is_const_v<NodeType>, const Graph, Graph>;
  for (auto& attribute : node.attributes) {
    if (auto* one = std::get_if<std::shared_ptr<Graph>>(&attribute.value)) {
      visit(static_cast<GraphType&>(**one), attribute.name);
    } else if (auto* many = std::get_if<std::vector<std::shared_ptr<Graph>>>(&attribute.value)) {
      for (auto& graph : *many) visit(static_cast<GraphType&>(*graph), attribute.name);
    }
  }
}

template <typename GraphType, typename Visit>
void walk_graphs(GraphType& graph, const std::string& path, const Visit& visit) {
  visit(graph, path);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    auto& node = graph.nodes[i];
    for_each_subgraph(node, [&](GraphType& inner, const std::string& attribute) {
      const std::string name =
          node.name.empty() ? node.op_type + "_" + std::to_string(i) : node.name;
      walk_graphs(inner, (path.empty() ? "" : path + "/") + name + "." + attribute, visit);
    });
  }
}

template <typename T>
std::shared_ptr<Constant> boxed(DataType type, std::vector<int64_t> shape,
                                std::span<const T> values) {
  return std::make_shared<Constant>(
      make_constant("", {type, std::move(shape), Bytes::copy_of(values), {}}));
}

/// The tensor of a `Constant` node; value_float and its kin are first rewritten as a tensor. Null
/// for sparse tensors.
Constant* constant_of(Node& node) {
  if (!node.is("Constant") || node.attributes.empty() || node.outputs.empty()) return nullptr;
  Attribute& attribute = node.attributes.front();
  if (auto* tensor = std::get_if<std::shared_ptr<Constant>>(&attribute.value)) return tensor->get();
  std::shared_ptr<Constant> made;
  if (const auto* f = std::get_if<float>(&attribute.value)) {
    made = boxed<float>(DataType::kFloat, {}, {f, 1});
  } else if (const auto* i = std::get_if<int64_t>(&attribute.value)) {
    made = boxed<int64_t>(DataType::kInt64, {}, {i, 1});
  } else if (const auto* fs = std::get_if<std::vector<float>>(&attribute.value)) {
    made = boxed<float>(DataType::kFloat, {static_cast<int64_t>(fs->size())}, *fs);
  } else if (const auto* is = std::get_if<std::vector<int64_t>>(&attribute.value)) {
    made = boxed<int64_t>(DataType::kInt64, {static_cast<int64_t>(is->size())}, *is);
  }
  if (!made) return nullptr;
  attribute.name = "value";
  attribute.value = made;
  return made.get();
}

void count_graph(const Graph& graph, std::unordered_map<std::string, int>& uses) {
  std::unordered_map<std::string, int> own;
  for (const Node& node : graph.nodes) {
    for (const std::string& name : node.inputs) {
      if (!name.empty()) ++own[name];
    }
    for_each_subgraph(node, [&](const Graph& inner, const std::string&) {
      std::unordered_map<std::string, int> below;
      count_graph(inner, below);
      for (const Value& input : inner.inputs) below.erase(input.name);
      for (const Constant& constant : inner.initializers) below.erase(constant.name);
      for (const Node& made : inner.nodes) {
        for (const std::string& name : made.outputs) below.erase(name);
      }
      for (const auto& [name, count] : below) own[name] += count;
    });
  }
  for (const Value& output : graph.outputs) ++own[output.name];
  for (const auto& [name, count] : own) uses[name] += count;
}

}  // namespace

void for_each_graph(Graph& graph, const std::function<void(Graph&, const std::string&)>& visit) {
  walk_graphs(graph, "", visit);
}

void for_each_graph(const Graph& graph,
                    const std::function<void(const Graph&, const std::string&)>& visit) {
  walk_graphs(graph, "", visit);
}

ConstantIndex::ConstantIndex(Graph& main_graph) { add(main_graph, nullptr); }

void ConstantIndex::add(Graph& graph, const Graph* parent) {
  Scope scope;
  scope.parent = parent;
  for (const Value& input : graph.inputs) scope.other_names[input.name] = true;
  for (Constant& constant : graph.initializers) {
    if (scope.other_names.contains(constant.name)) continue;
    scope.constants[constant.name] = &constant;
    entries_.push_back({&graph, &constant});
  }
  for (Node& node : graph.nodes) {
    Constant* constant = constant_of(node);
    for (const std::string& output : node.outputs) {
      if (!constant) scope.other_names[output] = true;
    }
    if (!constant) continue;
    scope.constants[node.outputs[0]] = constant;
    entries_.push_back({&graph, constant});
  }
  scopes_.emplace(&graph, std::move(scope));
  for (Node& node : graph.nodes) {
    for_each_subgraph(node, [&](Graph& inner, const std::string&) { add(inner, &graph); });
  }
}

Constant* ConstantIndex::find(const Graph& graph, std::string_view name) const {
  const std::string key(name);
  for (const Graph* at = &graph; at != nullptr;) {
    const auto scope = scopes_.find(at);
    if (scope == scopes_.end()) return nullptr;
    if (const auto it = scope->second.constants.find(key); it != scope->second.constants.end()) {
      return it->second;
    }
    if (scope->second.other_names.contains(key)) return nullptr;
    at = scope->second.parent;
  }
  return nullptr;
}

std::unordered_map<std::string, int> count_uses(const Graph& graph) {
  std::unordered_map<std::string, int> uses;
  count_graph(graph, uses);
  return uses;
}

namespace {

void for_each_constant(const Model& model, const std::function<void(const Constant&)>& visit) {
  for_each_graph(model.graph, [&](const Graph& graph, const std::string&) {
    for (const Constant& constant : graph.initializers) visit(constant);
    for (const Node& node : graph.nodes) {
      for (const Attribute& attribute : node.attributes) {
        if (const auto* one = std::get_if<std::shared_ptr<Constant>>(&attribute.value)) {
          visit(**one);
        }
      }
    }
  });
}

}  // namespace

uint64_t weight_bytes(const Model& model) {
  uint64_t total = 0;
  for_each_constant(model, [&](const Constant& constant) { total += constant.data.size(); });
  return total;
}

int64_t parameter_count(const Model& model) {
  int64_t total = 0;
  for_each_constant(model, [&](const Constant& constant) {
    const int64_t count = constant.element_count();
    const bool numeric = constant.type != DataType::kString && constant.type != DataType::kBool;
    if (numeric && count >= 2) total += count;
  });
  return total;
}

}  // namespace wattwise::model
