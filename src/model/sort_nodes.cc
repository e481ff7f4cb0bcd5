// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <queue>
#include <unordered_map>

#include "model/graph_edit.h"
#include "model/quote.h"
#include "model/walk.h"

namespace wattwise::model {
namespace {

/// Whether each node stands behind the makers of what it reads.
bool is_in_order(const Graph& graph) {
  std::unordered_map<std::string_view, size_t> maker;
  maker.reserve(graph.nodes.size());
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const std::string& name : graph.nodes[i].outputs) {
      if (!name.empty()) maker[name] = i;
    }
  }
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto is_late = [&](const std::string& name) {
      const auto it = maker.find(name);
      return it != maker.end() && it->second >= i;
    };
    const Node& node = graph.nodes[i];
    if (std::any_of(node.inputs.begin(), node.inputs.end(), is_late)) return false;
    bool reads_inside = false;
    for_each_inner_graph(node, [&](const Graph&) { reads_inside = true; });
    if (!reads_inside) continue;
    for (const auto& [name, uses] : count_uses(node)) {
      if (is_late(name)) return false;
    }
  }
  return true;
}

/// Who makes what the nodes of a graph read.
struct Order {
  std::vector<std::vector<size_t>> readers;  ///< of each node's outputs
  std::vector<std::vector<size_t>> makers;   ///< of what each node reads
  std::vector<size_t> waiting;               ///< makers that are not placed yet
};

Order find_order(const Graph& graph) {
  const size_t count = graph.nodes.size();
  Order order{std::vector<std::vector<size_t>>(count), std::vector<std::vector<size_t>>(count),
              std::vector<size_t>(count)};
  std::unordered_map<std::string, size_t> maker;
  for (size_t i = 0; i < count; ++i) {
    for (const std::string& name : graph.nodes[i].outputs) {
      if (!name.empty()) maker[name] = i;
    }
  }
  for (size_t i = 0; i < count; ++i) {
    for (const auto& [name, uses] : count_uses(graph.nodes[i])) {
      const auto it = maker.find(name);
      if (it == maker.end()) continue;
      order.readers[it->second].push_back(i);
      order.makers[i].push_back(it->second);
    }
    order.waiting[i] = order.makers[i].size();
  }
  return order;
}

/// Places of the nodes, the earliest possible of the given order first; nodes on a cycle, and those
/// behind them, are missing.
std::vector<size_t> place(Order& order) {
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (size_t i = 0; i < order.waiting.size(); ++i) {
    if (order.waiting[i] == 0) ready.push(i);
  }
  std::vector<size_t> places;
  while (!ready.empty()) {
    const size_t i = ready.top();
    ready.pop();
    places.push_back(i);
    for (const size_t reader : order.readers[i]) {
      if (--order.waiting[reader] == 0) ready.push(reader);
    }
  }
  return places;
}

/// A node on a cycle: going back from one that waits to what it waits for, and so on, leads there.
size_t find_on_cycle(const Order& order) {
  const auto waits = [&](size_t i) { return order.waiting[i] > 0; };
  size_t at = 0;
  while (!waits(at)) ++at;
  for (size_t steps = 0; steps < order.waiting.size(); ++steps) {
    at = *std::find_if(order.makers[at].begin(), order.makers[at].end(), waits);
  }
  return at;
}

Result<bool> sort_inner(Node& node) {
  bool moved = false;
  for (Attribute& attribute : node.attributes) {
    if (auto* one = std::get_if<std::shared_ptr<Graph>>(&attribute.value)) {
      moved |= WATTWISE_TRY(sort_nodes(**one));
    }
    if (auto* many = std::get_if<std::vector<std::shared_ptr<Graph>>>(&attribute.value)) {
      for (auto& graph : *many) moved |= WATTWISE_TRY(sort_nodes(*graph));
    }
  }
  return moved;
}

Result<void> sort_graph(Graph& graph) {
  Order order = find_order(graph);
  const std::vector<size_t> places = place(order);
  if (places.size() != graph.nodes.size()) {
    const Node& node = graph.nodes[find_on_cycle(order)];
    return Error(ErrorCode::kCorrupt,
                 fmt::format("the graph {} has a cycle through the {} node {}; export the model "
                             "again",
                             quoted(graph.name), quoted(node.op_type), quoted(node.name)));
  }
  std::vector<Node> sorted;
  sorted.reserve(places.size());
  for (const size_t i : places) sorted.push_back(std::move(graph.nodes[i]));
  graph.nodes = std::move(sorted);
  return {};
}

}  // namespace

Result<bool> sort_nodes(Graph& graph) {
  bool moved = !is_in_order(graph);
  if (moved) WATTWISE_TRY(sort_graph(graph));
  for (Node& node : graph.nodes) moved |= WATTWISE_TRY(sort_inner(node));
  return moved;
}

}  // namespace wattwise::model
