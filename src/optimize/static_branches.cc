// SPDX-License-Identifier: Apache-2.0
#include "optimize/static_branches.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "model/walk.h"
#include "optimize/graph_editor.h"
#include "optimize/inline_graph.h"
#include "optimize/unroll_loop.h"

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
      : constants_(model.graph), inliner_(model.graph), known_(known), opset_(model.opset("")) {}

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

  std::optional<Nodes> resolve_loop(const model::Graph& graph, const model::Node& node) {
    const auto body = graph_attribute(node, "body");
    if (!body || body->outputs.empty() || body->inputs.size() < 2) return std::nullopt;
    const std::string& limit = input_or_none(node, 0);
    const std::string& condition = input_or_none(node, 1);
    LoopFacts facts;
    facts.limit = integer_value(constants_.find(graph, limit));
    facts.is_limited = !limit.empty();
    facts.condition =
        condition.empty() ? std::optional(true) : bool_value(constants_.find(graph, condition));
    facts.goes_on = goes_on(*body);
    facts.opset = opset_;
    std::optional<std::unordered_map<std::string, int>> uses;
    facts.is_read = [&](const std::string& value) {
      if (!uses) uses = model::count_uses(graph);
      return uses->contains(value);
    };
    UnrolledLoop unrolled = unroll_loop(node, *body, facts, inliner_);
    if (!unrolled.refusal.empty()) return refuse(node, std::move(unrolled.refusal));
    return std::move(unrolled.nodes);
  }

  /// What the body says about another run: the value of a constant, true if it hands on what it was
  /// told, which was true.
  std::optional<bool> goes_on(const model::Graph& body) const {
    std::string name = body.outputs[0].name;
    for (size_t i = body.nodes.size(); i-- > 0;) {
      const model::Node& node = body.nodes[i];
      if (node.is("Identity") && node.outputs[0] == name) name = node.inputs[0];
    }
    if (name == body.inputs[1].name) return true;
    return bool_value(constants_.find(body, name));
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

  model::ConstantIndex constants_;
  Inliner inliner_;
  const Conditions& known_;
  int64_t opset_;
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
