// SPDX-License-Identifier: Apache-2.0
#include "model/inspect.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "model/node_macs.h"
#include "model/walk.h"

namespace wattwise::model {
namespace {

int64_t bytes_of(const ValueShape& value) {
  int64_t elements = 1;
  for (const int64_t dim : value.shape) {
    if (dim < 0) return -1;
    elements *= dim;
  }
  return (elements * data_type_bits(value.type).value_or(0) + 7) / 8;
}

/// Costs of one model. Values that are computed from constants alone count as weights: a runtime
/// folds them when it loads the model.
class Inspector {
 public:
  Inspector(const Model& model, const ShapeTable& shapes)
      : copy_(model), index_(copy_.graph), shapes_(shapes) {
    for (const Function& function : copy_.functions) {
      functions_[{function.domain, function.name}] = may_multiply(function);
    }
  }

  Inspection run() {
    Inspection out;
    visit(copy_.graph, "", out);
    return out;
  }

 private:
  /// Costs of a graph and all inside it. Of an If, the branch with more MACs counts.
  void visit(const Graph& graph, const std::string& path, Inspection& out) {
    ++out.graph_count;
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      const Node& node = graph.nodes[i];
      ++out.node_count;
      if (node.is("Constant")) continue;
      const std::string name =
          node.name.empty() ? node.op_type + "_" + std::to_string(i) : node.name;
      if (fold(graph, node)) continue;
      NodeCost cost;
      cost.name = name;
      cost.graph = path;
      add_node(graph, node, std::move(cost), out);
      add_inner(node, (path.empty() ? "" : path + "/") + name, out);
    }
  }

  /// True for a node that reads constants only; its outputs are constant from then on.
  bool fold(const Graph& graph, const Node& node) {
    const bool constant =
        !node.inputs.empty() &&
        std::all_of(node.inputs.begin(), node.inputs.end(), [&](const std::string& name) {
          return name.empty() || is_constant(graph, name);
        });
    if (constant) folded_.insert(node.outputs.begin(), node.outputs.end());
    return constant;
  }

  bool is_constant(const Graph& graph, const std::string& name) const {
    return folded_.contains(name) || index_.find(graph, name) != nullptr;
  }

  void add_node(const Graph& graph, const Node& node, NodeCost cost, Inspection& out) {
    cost.op_type = node.op_type;
    cost.compute_type = computes_in_integers(node) ? DataType::kInt8 : DataType::kFloat;
    const bool heavy = does_work(node);
    const bool call = functions_.contains({node.domain, node.op_type});
    cost.macs = !call ? node_macs(node, shapes_) : heavy ? std::nullopt : std::optional<int64_t>(0);
    int64_t activations = 0;
    for (const std::string& input : node.inputs) {
      if (input.empty()) continue;
      if (is_constant(graph, input)) {
        add_weight(graph, input, cost);
      } else {
        add_activation(input, activations);
      }
    }
    for (const std::string& output : node.outputs) {
      if (!output.empty()) add_activation(output, activations);
    }
    if (activations >= 0) cost.activation_bytes = activations;
    out.macs += cost.macs.value_or(0);
    out.activation_bytes += cost.activation_bytes.value_or(0);
    out.nodes_without_shape += heavy && !cost.macs ? 1 : 0;
    out.nodes_in_loops += heavy && cost.macs && loops_ > 0 ? 1 : 0;
    out.nodes.push_back(std::move(cost));
  }

  /// A Gather touches only the rows that it returns, not its whole table.
  void add_weight(const Graph& graph, const std::string& name, NodeCost& cost) const {
    if (const Constant* constant = index_.find(graph, name)) {
      cost.parameters += constant->element_count();
      if (cost.op_type != "Gather")
        cost.weight_bytes += static_cast<int64_t>(constant->data.size());
      return;
    }
    const auto shape = shapes_.find(name);
    if (shape == shapes_.end()) return;
    cost.weight_bytes += std::max<int64_t>(0, bytes_of(shape->second));
  }

  void add_activation(const std::string& name, int64_t& total) const {
    const auto it = shapes_.find(name);
    const int64_t bytes = it == shapes_.end() ? -1 : bytes_of(it->second);
    total = total < 0 || bytes < 0 ? -1 : total + bytes;
  }

  /// Whether the node multiplies, by itself or in the function that it calls.
  bool does_work(const Node& node) const {
    const auto function = functions_.find({node.domain, node.op_type});
    return function == functions_.end() ? multiplies(node) : function->second;
  }

  /// What a function calls or repeats in turn is taken to multiply.
  bool may_multiply(const Function& function) const {
    const auto heavy = [&](const std::string& op_type) {
      Node node;
      node.op_type = op_type;
      const auto named = [&](const Function& other) { return other.name == op_type; };
      return multiplies(node) || op_type == "If" || op_type == "Loop" || op_type == "Scan" ||
             std::any_of(copy_.functions.begin(), copy_.functions.end(), named);
    };
    return std::any_of(function.op_types.begin(), function.op_types.end(), heavy);
  }

  void add_inner(const Node& node, const std::string& name, Inspection& out) {
    const bool repeats = node.is("Loop") || node.is("Scan");
    loops_ += repeats ? 1 : 0;
    add_parts(node, name, out);
    loops_ -= repeats ? 1 : 0;
  }

  void add_parts(const Node& node, const std::string& name, Inspection& out) {
    std::vector<Inspection> parts;
    for (const Attribute& attribute : node.attributes) {
      if (const auto* inner = std::get_if<std::shared_ptr<Graph>>(&attribute.value)) {
        visit(**inner, name + "." + attribute.name, parts.emplace_back());
      }
    }
    if (parts.empty()) return;
    const auto dearest =
        std::max_element(parts.begin(), parts.end(),
                         [](const Inspection& a, const Inspection& b) { return a.macs < b.macs; });
    for (const Inspection& part : parts) {
      out.node_count += part.node_count;
      out.graph_count += part.graph_count;
    }
    out.macs += dearest->macs;
    out.activation_bytes += dearest->activation_bytes;
    out.nodes_without_shape += dearest->nodes_without_shape;
    out.nodes_in_loops += dearest->nodes_in_loops;
    std::move(dearest->nodes.begin(), dearest->nodes.end(), std::back_inserter(out.nodes));
  }

  Model copy_;  // the index may rewrite small constants
  ConstantIndex index_;
  const ShapeTable& shapes_;
  std::set<std::string> folded_;
  std::map<std::pair<std::string, std::string>, bool> functions_;  ///< by domain and name
  int loops_ = 0;  ///< how many Loops and Scans are around the current place
};

}  // namespace

Inspection inspect(const Model& model, const ShapeTable& shapes) {
  Inspection out = Inspector(model, shapes).run();
  out.parameters = parameter_count(model);
  out.weight_bytes = static_cast<int64_t>(weight_bytes(model));
  const ModelTypeGuess guess = infer_model_type(model);
  out.model_type = guess.type;
  out.model_type_reason = guess.reason;
  return out;
}

}  // namespace wattwise::model
