// SPDX-License-Identifier: Apache-2.0
#include "model/walk.h"

#include <algorithm>
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

std::shared_ptr<Constant> boxed(std::vector<int64_t> shape, std::vector<std::string> strings) {
  return std::make_shared<Constant>(
      make_constant("", {DataType::kString, std::move(shape), {}, std::move(strings)}));
}

/// What an attribute of a `Constant` node stands for, as a tensor; null for a kind that none has.
struct ToTensor {
  using Boxed = std::shared_ptr<Constant>;
  static std::vector<int64_t> length(size_t n) { return {static_cast<int64_t>(n)}; }

  Boxed operator()(float value) const { return boxed<float>(DataType::kFloat, {}, {&value, 1}); }
  Boxed operator()(int64_t value) const {
    return boxed<int64_t>(DataType::kInt64, {}, {&value, 1});
  }
  Boxed operator()(const std::vector<float>& values) const {
    return boxed<float>(DataType::kFloat, length(values.size()), values);
  }
  Boxed operator()(const std::vector<int64_t>& values) const {
    return boxed<int64_t>(DataType::kInt64, length(values.size()), values);
  }
  Boxed operator()(const std::string& value) const { return boxed({}, {value}); }
  Boxed operator()(const std::vector<std::string>& values) const {
    return boxed(length(values.size()), values);
  }
  Boxed operator()(const Boxed& value) const { return value; }
  template <typename Other>
  Boxed operator()(const Other&) const {
    return nullptr;
  }
};

/// The tensor of a `Constant` node, after value_float and its kin were rewritten as one.
Constant* constant_of(Node& node) {
  if (!node.is("Constant") || node.outputs.empty()) return nullptr;
  const auto holds_value = [](const Attribute& a) { return a.name.starts_with("value"); };
  const auto it = std::find_if(node.attributes.begin(), node.attributes.end(), holds_value);
  if (it == node.attributes.end()) return nullptr;
  std::shared_ptr<Constant> tensor = std::visit(ToTensor(), it->value);
  if (!tensor) return nullptr;
  it->name = "value";
  it->value = tensor;
  return tensor.get();
}

using Uses = std::unordered_map<std::string, int>;

/// Takes out what the graph defines itself; what is left it reads from around it.
void erase_defined(const Graph& graph, Uses& uses) {
  for (const Value& input : graph.inputs) uses.erase(input.name);
  for (const Constant& constant : graph.initializers) uses.erase(constant.name);
  for (const SparseConstant& constant : graph.sparse_initializers) uses.erase(constant.name);
  for (const Node& node : graph.nodes) {
    for (const std::string& name : node.outputs) uses.erase(name);
  }
}

void count_node(const Node& node, Uses& uses) {
  for (const std::string& name : node.inputs) {
    if (!name.empty()) ++uses[name];
  }
  for_each_subgraph(node, [&](const Graph& inner, const std::string&) {
    Uses below = count_uses(inner);
    erase_defined(inner, below);
    for (const auto& [name, count] : below) uses[name] += count;
  });
}

}  // namespace

void for_each_inner_graph(const Node& node, const std::function<void(const Graph& graph)>& visit) {
  for_each_subgraph(node, [&](const Graph& graph, const std::string&) { visit(graph); });
}

void for_each_graph(Graph& graph, const std::function<void(Graph&, const std::string&)>& visit) {
  walk_graphs(graph, "", visit);
}

void for_each_graph(const Graph& graph,
                    const std::function<void(const Graph&, const std::string&)>& visit) {
  walk_graphs(graph, "", visit);
}

void for_each_constant(const Graph& graph,
                       const std::function<void(const Constant&, const Node*)>& visit) {
  for_each_graph(graph, [&](const Graph& each, const std::string&) {
    for (const Constant& constant : each.initializers) visit(constant, nullptr);
    for (const Node& node : each.nodes) {
      for (const Attribute& attribute : node.attributes) {
        if (const auto* one = std::get_if<std::shared_ptr<Constant>>(&attribute.value)) {
          visit(**one, &node);
        }
        const auto* many = std::get_if<std::vector<std::shared_ptr<Constant>>>(&attribute.value);
        if (!many) continue;
        for (const auto& constant : *many) visit(*constant, &node);
      }
    }
  });
}

ConstantIndex::ConstantIndex(Graph& main_graph) { add(main_graph, nullptr); }

void ConstantIndex::add(Graph& graph, const Graph* parent) {
  Scope scope;
  scope.parent = parent;
  for (const Value& input : graph.inputs) scope.other_names.insert(input.name);
  for (const auto& constant : graph.sparse_initializers) scope.other_names.insert(constant.name);
  for (Constant& constant : graph.initializers) {
    if (scope.other_names.contains(constant.name)) continue;
    scope.constants[constant.name] = &constant;
    entries_.push_back({&graph, &constant});
  }
  for (Node& node : graph.nodes) {
    Constant* constant = constant_of(node);
    if (!constant) {
      scope.other_names.insert(node.outputs.begin(), node.outputs.end());
      continue;
    }
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

bool defines(const Graph& graph, std::string_view name) {
  const auto named = [&](const auto& item) { return item.name == name; };
  const auto makes = [&](const Node& node) {
    return std::find(node.outputs.begin(), node.outputs.end(), name) != node.outputs.end();
  };
  return std::any_of(graph.inputs.begin(), graph.inputs.end(), named) ||
         std::any_of(graph.initializers.begin(), graph.initializers.end(), named) ||
         std::any_of(graph.sparse_initializers.begin(), graph.sparse_initializers.end(), named) ||
         std::any_of(graph.nodes.begin(), graph.nodes.end(), makes);
}

std::unordered_map<std::string, int> count_uses(const Graph& graph) {
  Uses uses;
  for (const Node& node : graph.nodes) count_node(node, uses);
  for (const Value& output : graph.outputs) ++uses[output.name];
  return uses;
}

int count_uses(const Graph& graph, std::string_view value) {
  int uses = 0;
  for (const Node& node : graph.nodes) {
    uses += static_cast<int>(std::count(node.inputs.begin(), node.inputs.end(), value));
    for_each_subgraph(node, [&](const Graph& inner, const std::string&) {
      if (!defines(inner, value)) uses += count_uses(inner, value);
    });
  }
  const auto is_it = [&](const Value& output) { return output.name == value; };
  return uses + static_cast<int>(std::count_if(graph.outputs.begin(), graph.outputs.end(), is_it));
}

std::unordered_map<std::string, int> count_uses(const Node& node) {
  Uses uses;
  count_node(node, uses);
  return uses;
}

int64_t count_nodes(const Model& model) {
  int64_t count = 0;
  for_each_graph(model.graph, [&](const Graph& graph, const std::string&) {
    count += static_cast<int64_t>(graph.nodes.size());
  });
  return count;
}

uint64_t weight_bytes(const Model& model) {
  uint64_t total = 0;
  for_each_constant(model.graph,
                    [&](const Constant& constant, const Node*) { total += constant.data.size(); });
  return total;
}

int64_t parameter_count(const Model& model) {
  int64_t total = 0;
  for_each_constant(model.graph, [&](const Constant& constant, const Node*) {
    const bool is_number = data_type_bits(constant.type) && constant.type != DataType::kBool;
    const int64_t count = is_number ? constant.element_count() : 0;
    if (count >= 2) total += count;
  });
  return total;
}

}  // namespace wattwise::model
