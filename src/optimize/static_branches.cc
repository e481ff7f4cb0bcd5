// SPDX-License-Identifier: Apache-2.0
#include "optimize/static_branches.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "model/walk.h"
#include "optimize/graph_editor.h"
#include "optimize/inline_graph.h"

namespace wattwise::optimize {
namespace {

using Nodes = std::vector<model::Node>;

std::optional<bool> bool_value(const model::Constant* constant) {
  if (!constant || constant->type != DataType::kBool || constant->data.size() != 1) {
    return std::nullopt;
  }
  return *constant->data.data() != std::byte{0};
}

std::optional<int64_t> integer_value(const model::Constant* constant) {
  const auto values = constant ? integer_values(*constant) : std::nullopt;
  return values && values->size() == 1 ? std::optional(values->front()) : std::nullopt;
}

const std::string& input_or_none(const model::Node& node, size_t i) {
  static const std::string none;
  return i < node.inputs.size() ? node.inputs[i] : none;
}

std::shared_ptr<model::Graph> graph_attribute(const model::Node& node, std::string_view name) {
  const model::Attribute* attribute = node.attribute(name);
  const auto* graph =
      attribute ? std::get_if<std::shared_ptr<model::Graph>>(&attribute->value) : nullptr;
  return graph ? *graph : nullptr;
}

/// One walk over all graphs. A graph that comes to stand elsewhere is looked into in the next one.
class Sweep {
 public:
  Sweep(model::Model& model, const Conditions& known)
      : constants_(model.graph), inliner_(model.graph), known_(known) {}

  void run(model::Graph& graph) {
    Nodes nodes;
    for (model::Node& node : graph.nodes) {
      std::optional<Nodes> content = resolve(graph, node);
      if (content) {
        ++resolved_.count;
        std::move(content->begin(), content->end(), std::back_inserter(nodes));
        continue;
      }
      run_inner(node);
      nodes.push_back(std::move(node));
    }
    graph.nodes = std::move(nodes);
  }

  Resolved take() { return std::move(resolved_); }

 private:
  void run_inner(model::Node& node) {
    for (model::Attribute& attribute : node.attributes) {
      if (auto* one = std::get_if<std::shared_ptr<model::Graph>>(&attribute.value)) run(**one);
      auto* many = std::get_if<std::vector<std::shared_ptr<model::Graph>>>(&attribute.value);
      if (!many) continue;
      for (const auto& inner : *many) run(*inner);
    }
  }

  /// What the node comes down to; absent if that depends on inputs.
  std::optional<Nodes> resolve(const model::Graph& graph, const model::Node& node) {
    if (node.is("If")) return resolve_if(graph, node);
    if (node.is("Loop")) return resolve_loop(graph, node);
    return std::nullopt;
  }

  std::optional<Nodes> resolve_if(const model::Graph& graph, const model::Node& node) {
    auto condition = bool_value(constants_.find(graph, input_or_none(node, 0)));
    if (const auto it = known_.find(&node); it != known_.end()) condition = it->second;
    if (!condition) return std::nullopt;
    const auto branch = graph_attribute(node, *condition ? "then_branch" : "else_branch");
    if (!branch || !branch->inputs.empty() || branch->outputs.size() < node.outputs.size()) {
      return std::nullopt;
    }
    return inlined(node, *branch, {{}, node.outputs});
  }

  /// How often the loop runs as far as that is known to be not at all or once.
  std::optional<int64_t> iterations(const model::Graph& graph, const model::Node& node) const {
    const std::string& limit_name = input_or_none(node, 0);
    const std::string& condition_name = input_or_none(node, 1);
    const auto limit = integer_value(constants_.find(graph, limit_name));
    const auto condition = condition_name.empty()
                               ? std::optional(true)
                               : bool_value(constants_.find(graph, condition_name));
    if ((condition && !*condition) || (limit && *limit <= 0)) return 0;
    return limit && *limit == 1 && condition ? std::optional<int64_t>(1) : std::nullopt;
  }

  std::optional<Nodes> resolve_loop(const model::Graph& graph, const model::Node& node) {
    const auto count = iterations(graph, node);
    const auto body = graph_attribute(node, "body");
    if (!count || !body || node.inputs.size() < 2 || body->inputs.size() != node.inputs.size() ||
        body->outputs.size() + 1 < node.inputs.size()) {
      return std::nullopt;
    }
    const size_t carried = node.inputs.size() - 2;
    if (stacks(graph, node, carried)) {
      return refuse(node, "it runs a fixed number of times, but stacks what each run makes");
    }
    Nodes nodes;
    if (*count == 0) {
      for (size_t i = 0; i < std::min(carried, node.outputs.size()); ++i) {
        if (node.outputs[i].empty()) continue;
        nodes.push_back(make_node("Identity", {node.inputs[i + 2]}, node.outputs[i]));
      }
      return nodes;
    }
    GraphEnds ends{{}, {""}};
    ends.inputs = {counter(body->inputs[0], nodes), condition(body->inputs[1], nodes)};
    ends.inputs.insert(ends.inputs.end(), node.inputs.begin() + 2, node.inputs.end());
    for (size_t i = 0; i < std::min(carried, node.outputs.size()); ++i) {
      ends.outputs.push_back(node.outputs[i]);
    }
    auto content = inlined(node, *body, ends);
    if (!content) return std::nullopt;
    std::move(content->begin(), content->end(), std::back_inserter(nodes));
    return nodes;
  }

  /// Whether something reads an output that collects a value of each iteration.
  static bool stacks(const model::Graph& graph, const model::Node& node, size_t carried) {
    if (node.outputs.size() <= carried) return false;
    const auto uses = model::count_uses(graph);
    return std::any_of(node.outputs.begin() + static_cast<std::ptrdiff_t>(carried),
                       node.outputs.end(),
                       [&](const std::string& output) { return uses.contains(output); });
  }

  std::optional<Nodes> inlined(const model::Node& node, const model::Graph& body,
                               const GraphEnds& ends) {
    if (!body.sparse_initializers.empty()) return refuse(node, "it holds sparse constants");
    return inliner_.inline_graph(model::clone(body), ends);
  }

  std::optional<Nodes> refuse(const model::Node& node, std::string reason) {
    resolved_.decisions.push_back({"refuse", subject_of(node), std::move(reason)});
    return std::nullopt;
  }

  /// The runtime hands a list of one to a body that declares a list.
  static std::vector<int64_t> shape_of_scalar(const model::Value& input) {
    return input.shape && input.shape->size() == 1 ? std::vector<int64_t>{1}
                                                   : std::vector<int64_t>{};
  }

  std::string counter(const model::Value& input, Nodes& nodes) {
    constexpr std::array<int64_t, 1> kFirst = {0};
    std::string name = inliner_.unique(input.name);
    nodes.push_back(
        make_constant_node(model::make_int64_constant("", shape_of_scalar(input), kFirst), name));
    return name;
  }

  std::string condition(const model::Value& input, Nodes& nodes) {
    constexpr std::array<uint8_t, 1> kTrue = {1};
    std::string name = inliner_.unique(input.name);
    const Tensor tensor{DataType::kBool,
                        shape_of_scalar(input),
                        Bytes::copy_of(std::span<const uint8_t>(kTrue)),
                        {}};
    nodes.push_back(make_constant_node(model::make_constant("", tensor), name));
    return name;
  }

  model::ConstantIndex constants_;
  Inliner inliner_;
  const Conditions& known_;
  Resolved resolved_;
};

}  // namespace

Resolved resolve_static_branches(model::Model& model, const Conditions& known) {
  Resolved all;
  Conditions conditions = known;
  while (true) {
    Sweep sweep(model, conditions);
    sweep.run(model.graph);
    Resolved resolved = sweep.take();
    conditions.clear();  // the nodes have moved
    all.count += resolved.count;
    if (resolved.count > 0) continue;
    all.decisions = std::move(resolved.decisions);
    return all;
  }
}

const model::Graph* branch_of(const model::Node& node, bool condition) {
  return graph_attribute(node, condition ? "then_branch" : "else_branch").get();
}

std::string subject_of(const model::Node& node) {
  if (!node.name.empty() || node.outputs.empty()) return node.name;
  return node.outputs.front();
}

}  // namespace wattwise::optimize
