// SPDX-License-Identifier: Apache-2.0
// Initializers of equal type, shape and bytes are one.
//
//   before:  a = W, b = W;  MatMul(x, a), MatMul(y, b)    after:  a = W;  MatMul(x, a), MatMul(y,
//   a)
//
// Exact: readers see the same bytes. Within one graph only; inputs and outputs keep their names.
#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_map>

#include "model/graph_edit.h"
#include "model/walk.h"
#include "optimize/passes/passes.h"

namespace wattwise::optimize {
namespace {

bool is_port(const model::Graph& graph, const std::string& name) {
  const auto named = [&](const model::Value& value) { return value.name == name; };
  return std::any_of(graph.inputs.begin(), graph.inputs.end(), named) ||
         std::any_of(graph.outputs.begin(), graph.outputs.end(), named);
}

bool equal(const model::Constant& a, const model::Constant& b) {
  return a.type == b.type && a.shape == b.shape && a.strings == b.strings &&
         a.data.as_text() == b.data.as_text();
}

int64_t merge_in(model::Graph& graph) {
  std::unordered_multimap<size_t, std::string> seen;
  std::unordered_map<std::string, const model::Constant*> kept;
  std::vector<std::pair<std::string, std::string>> replaced;
  for (const model::Constant& constant : graph.initializers) {
    if (is_port(graph, constant.name)) continue;
    const size_t hash = std::hash<std::string_view>()(constant.data.as_text());
    const auto [begin, end] = seen.equal_range(hash);
    const auto twin = std::find_if(
        begin, end, [&](const auto& entry) { return equal(*kept.at(entry.second), constant); });
    if (twin != end) {
      replaced.emplace_back(constant.name, twin->second);
    } else {
      seen.emplace(hash, constant.name);
      kept[constant.name] = &constant;
    }
  }
  for (const auto& [from, to] : replaced) model::replace_uses(graph, from, to);
  std::erase_if(graph.initializers, [&](const model::Constant& constant) {
    return std::any_of(replaced.begin(), replaced.end(),
                       [&](const auto& pair) { return pair.first == constant.name; });
  });
  return static_cast<int64_t>(replaced.size());
}

}  // namespace

Result<PassOutcome> merge_duplicate_constants(model::Model& model, const PassContext&) {
  PassOutcome outcome;
  model::for_each_graph(model.graph, [&](model::Graph& graph, const std::string&) {
    outcome.changed += merge_in(graph);
  });
  return outcome;
}

}  // namespace wattwise::optimize
