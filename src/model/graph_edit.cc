// SPDX-License-Identifier: Apache-2.0
#include "model/graph_edit.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "model/walk.h"

namespace wattwise::model {
namespace {

/// Calls `visit` for the owner of each graph that the node holds.
template <typename Visit>
void for_each_inner(Node& node, const Visit& visit) {
  for (Attribute& attribute : node.attributes) {
    if (auto* one = std::get_if<std::shared_ptr<Graph>>(&attribute.value)) visit(*one);
    if (auto* many = std::get_if<std::vector<std::shared_ptr<Graph>>>(&attribute.value)) {
      for (auto& graph : *many) visit(graph);
    }
  }
}

void replace_readers(Graph& graph, const std::string& from, const std::string& to) {
  for (Node& node : graph.nodes) {
    std::replace(node.inputs.begin(), node.inputs.end(), from, to);
    for_each_inner(node, [&](std::shared_ptr<Graph>& inner) {
      if (defines(*inner, from)) return;
      replace_readers(*inner, from, to);
      // Outputs of an inner graph count by position; one that hands on an outer value follows it.
      for (Value& output : inner->outputs) {
        if (output.name == from) output.name = to;
      }
    });
  }
}

std::unordered_set<std::string> input_names(const Graph& graph) {
  std::unordered_set<std::string> names;
  for (const Value& input : graph.inputs) names.insert(input.name);
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
    for (const Value& value : graph.value_info) taken_.insert(value.name);
    for (const Constant& constant : graph.initializers) taken_.insert(constant.name);
    for (const SparseConstant& constant : graph.sparse_initializers) taken_.insert(constant.name);
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
  replace_readers(graph, std::string(from), std::string(to));
}

int64_t drop_default_inputs(Graph& graph) {
  std::unordered_set<std::string> defaults;
  for (const Constant& constant : graph.initializers) defaults.insert(constant.name);
  return static_cast<int64_t>(std::erase_if(
      graph.inputs, [&](const Value& input) { return defaults.contains(input.name); }));
}

int64_t raise_ir_version(Model& model, int64_t version) {
  const int64_t before = model.ir_version;
  model.ir_version = std::max(before, version);
  if (before >= kFirstIrWithConstants || model.ir_version < kFirstIrWithConstants) return 0;
  return drop_default_inputs(model.graph);
}

namespace {

/// Nodes of one graph by what is read through them, until none is left that nothing reads.
class UnusedRemover {
 public:
  explicit UnusedRemover(Graph& graph) : graph_(graph), uses_(count_uses(graph)) {}

  int64_t run() {
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      for (const std::string& name : graph_.nodes[i].outputs) maker_[name] = i;
      if (is_unused(graph_.nodes[i])) queue_.push_back(i);
    }
    removed_.resize(graph_.nodes.size());
    while (!queue_.empty()) {
      const size_t i = queue_.back();
      queue_.pop_back();
      if (!removed_[i]) remove(i);
    }
    return erase();
  }

 private:
  bool is_read(const std::string& name) const {
    const auto it = uses_.find(name);
    return !name.empty() && it != uses_.end() && it->second > 0;
  }

  /// A node without outputs is there for what it does.
  bool is_unused(const Node& node) const {
    return !node.outputs.empty() &&
           std::none_of(node.outputs.begin(), node.outputs.end(),
                        [&](const std::string& name) { return is_read(name); });
  }

  void remove(size_t i) {
    removed_[i] = true;
    for (const auto& [name, count] : count_uses(graph_.nodes[i])) {
      if ((uses_[name] -= count) > 0) continue;
      const auto it = maker_.find(name);
      if (it != maker_.end() && is_unused(graph_.nodes[it->second])) queue_.push_back(it->second);
    }
  }

  int64_t erase() {
    size_t position = 0;
    const auto nodes =
        std::erase_if(graph_.nodes, [&](const Node&) { return removed_[position++]; });
    const auto inputs = input_names(graph_);
    const auto constants = std::erase_if(graph_.initializers, [&](const Constant& constant) {
      return !is_read(constant.name) && !inputs.contains(constant.name);
    });
    return static_cast<int64_t>(nodes + constants);
  }

  Graph& graph_;
  std::unordered_map<std::string, int> uses_;
  std::unordered_map<std::string, size_t> maker_;
  std::vector<bool> removed_;
  std::vector<size_t> queue_;
};

}  // namespace

int64_t remove_unused(Graph& graph) {
  int64_t removed = 0;
  for (Node& node : graph.nodes) {
    for_each_inner(node, [&](std::shared_ptr<Graph>& inner) { removed += remove_unused(*inner); });
  }
  return removed + UnusedRemover(graph).run();
}

void compute_only(Graph& graph, std::span<const std::string> values) {
  graph.outputs.clear();
  for (const std::string& name : values) {
    Value output;
    output.name = name;
    output.type = DataType::kFloat;
    graph.outputs.push_back(std::move(output));
  }
  remove_unused(graph);
}

}  // namespace wattwise::model
