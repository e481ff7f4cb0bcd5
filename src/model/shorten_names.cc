// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "model/graph_edit.h"
#include "model/walk.h"

namespace wattwise::model {
namespace {

using Renames = std::unordered_map<std::string, std::string>;

/// Short names that the model has not: "0", "1", ... in base 36.
class ShortNames {
 public:
  explicit ShortNames(const Graph& graph) : taken_(graph) {}

  std::string next() {
    for (;;) {
      std::string name = in_base_36(count_++);
      if (taken_.unique(name) == name) return name;
    }
  }

 private:
  static std::string in_base_36(size_t number) {
    std::string digits;
    for (; digits.empty() || number > 0; number /= 36) {
      digits.insert(digits.begin(), "0123456789abcdefghijklmnopqrstuvwxyz"[number % 36]);
    }
    return digits;
  }

  NameMaker taken_;
  size_t count_ = 0;
};

/// Names of the graph that its users see.
std::unordered_set<std::string> declared(const Graph& graph) {
  std::unordered_set<std::string> names;
  for (const Value& value : graph.inputs) names.insert(value.name);
  for (const Value& value : graph.outputs) names.insert(value.name);
  return names;
}

bool has_graphs(const Node& node) {
  return std::any_of(node.attributes.begin(), node.attributes.end(), [](const Attribute& item) {
    return std::holds_alternative<std::shared_ptr<Graph>>(item.value) ||
           std::holds_alternative<std::vector<std::shared_ptr<Graph>>>(item.value);
  });
}

/// New names for the constants of the graph and for what is made of constants alone; in inner
/// graphs for all values that are made there. `renames` holds those of the graphs around it.
Renames plan_renames(const Graph& graph, Renames renames, bool is_inner, ShortNames& names) {
  const auto kept = declared(graph);
  for (const std::string& name : kept) renames.erase(name);
  std::unordered_set<std::string> own;
  const auto rename = [&](const std::string& name) {
    own.insert(name);
    renames.erase(name);
    if (name.empty() || kept.contains(name)) return;
    std::string shorter = names.next();
    if (shorter.size() < name.size()) renames[name] = std::move(shorter);
  };
  for (const Constant& constant : graph.initializers) rename(constant.name);
  for (const Node& node : graph.nodes) {
    const bool is_constant =
        !has_graphs(node) && std::all_of(node.inputs.begin(), node.inputs.end(),
                                         [&](const auto& input) { return own.contains(input); });
    for (const std::string& output : node.outputs) {
      if (is_constant || is_inner) {
        rename(output);
      } else {
        renames.erase(output);
      }
    }
  }
  return renames;
}

int64_t rename(std::string& name, const Renames& renames) {
  const auto it = renames.find(name);
  if (it == renames.end()) return 0;
  name = it->second;
  return 1;
}

int64_t shorten(Graph& graph, const Renames& outer, bool is_inner, ShortNames& names) {
  const Renames renames = plan_renames(graph, outer, is_inner, names);
  int64_t count = 0;
  std::erase_if(graph.value_info, [&](const Value& value) { return renames.contains(value.name); });
  for (Constant& constant : graph.initializers) count += rename(constant.name, renames);
  for (Node& node : graph.nodes) {
    node.name.clear();
    for (std::string& output : node.outputs) count += rename(output, renames);
    for (std::string& input : node.inputs) rename(input, renames);
    for (Attribute& attribute : node.attributes) {
      if (auto* one = std::get_if<std::shared_ptr<Graph>>(&attribute.value)) {
        count += shorten(**one, renames, true, names);
      } else if (auto* many = std::get_if<std::vector<std::shared_ptr<Graph>>>(&attribute.value)) {
        for (auto& inner : *many) count += shorten(*inner, renames, true, names);
      }
    }
  }
  return count;
}

}  // namespace

int64_t shorten_names(Model& model) {
  bool is_annotated = false;
  for_each_graph(std::as_const(model.graph), [&](const Graph& graph, const std::string&) {
    is_annotated |= !graph.unknown.empty() || !graph.sparse_initializers.empty();
  });
  if (is_annotated) return 0;
  ShortNames names(model.graph);
  return shorten(model.graph, {}, false, names);
}

}  // namespace wattwise::model
