// SPDX-License-Identifier: Apache-2.0
// Initializers of equal type, shape and bytes are one.
//
//   before:  a = W, b = W;  MatMul(x, a);  MatMul(y, b)
//   after:   a = W;  MatMul(x, a);  MatMul(y, a)
//
//   before:  If(c){ then: { a = W; MatMul(x, a) }  else: { b = W; MatMul(y, b) } }
//   after:   w = W;  If(c){ then: { MatMul(x, w) }  else: { MatMul(y, w) } }
//
// Exact: readers see the same bytes. Inputs and outputs of a graph keep their names. Small
// constants (axes, shapes, scalars) are merged within one graph only, since operators that want
// them constant then find them beside them.
#include <algorithm>
#include <span>
#include <unordered_map>
#include <unordered_set>

#include "model/graph_edit.h"
#include "model/walk.h"
#include "optimize/equal_constants.h"
#include "optimize/passes/passes.h"

namespace wattwise::optimize {
namespace {

/// From this size on a constant may be kept in a graph around its readers.
constexpr size_t kSharedBytes = 64;

void erase_constants(model::Graph& graph, const std::unordered_set<std::string>& names) {
  std::erase_if(graph.initializers,
                [&](const model::Constant& constant) { return names.contains(constant.name); });
}

int64_t merge_in(model::Graph& graph, const model::ConstantStore* store) {
  const auto ports = port_names(graph);
  ConstantSet seen(store);
  std::vector<std::pair<std::string, std::string>> replaced;
  std::unordered_set<std::string> gone;
  for (const model::Constant& constant : graph.initializers) {
    if (ports.contains(constant.name)) continue;
    const model::Constant* twin = seen.find_or_add(constant);
    if (!twin) continue;
    replaced.emplace_back(constant.name, twin->name);
    gone.insert(constant.name);
  }
  for (const auto& [from, to] : replaced) model::replace_uses(graph, from, to);
  erase_constants(graph, gone);
  return static_cast<int64_t>(replaced.size());
}

/// A constant of one graph.
struct ConstantPlace {
  model::Graph* graph;
  const model::Constant* constant;
};

/// Large constants by equality, each group in the order outer graph before inner.
std::vector<std::vector<ConstantPlace>> equal_groups(model::Model& model) {
  ConstantSet seen(model.store.get());
  std::unordered_map<const model::Constant*, size_t> index;
  std::vector<std::vector<ConstantPlace>> groups;
  model::for_each_graph(model.graph, [&](model::Graph& graph, const std::string&) {
    const auto ports = port_names(graph);
    for (const model::Constant& constant : graph.initializers) {
      if (constant.data.size() < kSharedBytes || ports.contains(constant.name)) continue;
      const model::Constant* twin = seen.find_or_add(constant);
      const auto [it, added] = index.emplace(twin ? twin : &constant, groups.size());
      if (added) groups.emplace_back();
      groups[it->second].push_back({&graph, &constant});
    }
  });
  return groups;
}

/// Edits that are collected first, so that constants stay where they are while they are looked at.
class Sharer {
 public:
  explicit Sharer(model::Model& model) : model_(model), names_(model.graph) {
    model::for_each_graph(model.graph, [&](const model::Graph& graph, const std::string&) {
      for (const model::Constant& constant : graph.initializers) ++definitions_[constant.name];
      for (const model::Value& input : graph.inputs) ++definitions_[input.name];
      for (const model::Node& node : graph.nodes) {
        for (const std::string& output : node.outputs) ++definitions_[output];
      }
    });
  }

  void share(const std::vector<ConstantPlace>& group) {
    const bool is_outside = group.front().graph == &model_.graph;
    std::string name = group.front().constant->name;
    // A graph in between that means something else by the name would hide the constant.
    if (is_outside && definitions_[name] > 1) return;
    if (!is_outside) {
      name = names_.unique(name);
      hoisted_.push_back(*group.front().constant);
      hoisted_.back().name = name;
    }
    for (const ConstantPlace& place : std::span(group).subspan(is_outside ? 1 : 0)) {
      replaced_[place.graph].emplace_back(place.constant->name, name);
    }
  }

  /// Returns how many constants went.
  int64_t apply() {
    size_t gone = 0;
    for (auto& [graph, pairs] : replaced_) {
      std::unordered_set<std::string> names;
      for (const auto& [from, to] : pairs) {
        model::replace_uses(*graph, from, to);
        names.insert(from);
      }
      gone += names.size();
      erase_constants(*graph, names);
    }
    for (model::Constant& constant : hoisted_) {
      model_.graph.initializers.push_back(std::move(constant));
    }
    return static_cast<int64_t>(gone - hoisted_.size());
  }

 private:
  model::Model& model_;
  model::NameMaker names_;
  std::unordered_map<std::string, int> definitions_;
  std::vector<model::Constant> hoisted_;
  std::unordered_map<model::Graph*, std::vector<std::pair<std::string, std::string>>> replaced_;
};

bool has_inner_graphs(const model::Model& model) {
  int graphs = 0;
  model::for_each_graph(model.graph, [&](const model::Graph&, const std::string&) { ++graphs; });
  return graphs > 1;
}

int64_t share_between_graphs(model::Model& model) {
  // Before this IR version every initializer of the main graph has to be an input too.
  if (model.ir_version < model::kFirstIrWithConstants || !has_inner_graphs(model)) return 0;
  Sharer sharer(model);
  for (const std::vector<ConstantPlace>& group : equal_groups(model)) {
    if (group.size() > 1) sharer.share(group);
  }
  return sharer.apply();
}

}  // namespace

Result<PassOutcome> merge_duplicate_constants(model::Model& model, const PassContext&) {
  PassOutcome outcome;
  model::for_each_graph(model.graph, [&](model::Graph& graph, const std::string&) {
    outcome.changed += merge_in(graph, model.store.get());
  });
  outcome.changed += share_between_graphs(model);
  return outcome;
}

}  // namespace wattwise::optimize
