// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "model/graph.h"

namespace wattwise::model {

/// Calls `visit` for the graph and then for every graph nested in its nodes, outer before inner.
/// `path` names where it is: "", "If_12.then_branch".
void for_each_graph(Graph& graph,
                    const std::function<void(Graph&, const std::string& path)>& visit);
void for_each_graph(const Graph& graph,
                    const std::function<void(const Graph&, const std::string& path)>& visit);

/// Calls `visit` for every graph that the node holds, and for none inside those.
void for_each_inner_graph(const Node& node, const std::function<void(const Graph& graph)>& visit);

/// Calls `visit` for every constant below `graph`: initializers, and tensors in attributes of
/// nodes. `holder` is the node of the latter (mostly a `Constant` node), null for initializers.
void for_each_constant(
    const Graph& graph,
    const std::function<void(const Constant& constant, const Node* holder)>& visit);

/// Every constant of the model, wherever it lives: initializers and `Constant` nodes of the main
/// graph and of every inner graph. Scopes are honoured: a name means the innermost definition.
class ConstantIndex {
 public:
  explicit ConstantIndex(Graph& main_graph);

  /// The constant that `name` means inside `graph`, or null if it is no constant there.
  /// A graph input that has an initializer as its default is not constant (it can be fed).
  Constant* find(const Graph& graph, std::string_view name) const;

  /// All constants with the graph each is defined in.
  struct Entry {
    Graph* graph;
    Constant* constant;
  };
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  struct Scope {
    const Graph* parent = nullptr;
    std::unordered_map<std::string, Constant*> constants;
    std::unordered_set<std::string> other_names;
  };
  void add(Graph& graph, const Graph* parent);
  std::unordered_map<const Graph*, Scope> scopes_;
  std::vector<Entry> entries_;
};

/// Whether the graph itself feeds, holds or makes the value; graphs around and inside it do not
/// count.
bool defines(const Graph& graph, std::string_view name);

/// How often each value is read, in its own graph and the graphs inside it, graph outputs
/// included. A name that an inner graph defines anew is not counted for the outer one.
std::unordered_map<std::string, int> count_uses(const Graph& graph);
/// The same of one value.
int count_uses(const Graph& graph, std::string_view value);

/// How often the node reads each value of the graph it is in: as an input, or in its inner graphs.
std::unordered_map<std::string, int> count_uses(const Node& node);

/// Number of nodes of all graphs.
int64_t count_nodes(const Model& model);

/// Total size of all constants.
uint64_t weight_bytes(const Model& model);
/// Total number of elements of all floating or integer constants with two or more elements.
int64_t parameter_count(const Model& model);

}  // namespace wattwise::model
