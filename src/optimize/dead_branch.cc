// SPDX-License-Identifier: Apache-2.0
#include "optimize/dead_branch.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <unordered_set>

#include "model/graph_edit.h"
#include "optimize/partial_values.h"
#include "optimize/static_branches.h"

namespace wattwise::optimize {
namespace {

/// A trial goes on while shapes found in one round decide branches of the next.
constexpr int kMaxTrialRounds = 6;
/// As much of the runtime's message as fits a line.
constexpr size_t kMessageLength = 160;

model::Value open_value(const std::string& name, const model::ValueShape& known, bool with_shape) {
  model::Value value;
  value.name = name;
  value.type = known.type;
  if (!with_shape) return value;
  value.shape.emplace();
  for (const int64_t dim : known.shape) {
    model::Dimension dimension;
    if (dim >= 0) dimension.value = dim;
    value.shape->push_back(std::move(dimension));
  }
  return value;
}

/// The names that a graph reads from around it.
std::vector<std::string> captured(const model::Graph& graph) {
  model::Node holder;
  holder.set_attribute("graph", std::make_shared<model::Graph>(graph));
  std::vector<std::string> names;
  for (const auto& [name, count] : model::count_uses(holder)) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

/// Tries one graph of the model as if it were a model.
class BranchTrial {
 public:
  BranchTrial(model::Model& model, const Place& place, const PassContext& context)
      : model_(model), place_(place), context_(context), constants_(model.graph) {}

  /// What the runtime objects to if the condition is this; "" if nothing. Absent if it cannot be
  /// told.
  Result<std::optional<std::string>> objection(const model::ShapeTable& shapes, bool condition) {
    auto trial = isolate(shapes);
    if (!trial) return std::optional<std::string>();
    Conditions known{{&trial->graph.nodes[place_.node], condition}};
    if (resolve_static_branches(*trial, known).count == 0) return std::optional<std::string>();
    for (int round = 0; round < kMaxTrialRounds; ++round) {
      model::remove_unused(trial->graph);
      const model::Model certain = without_control_flow(*trial, shapes);
      const auto found = engine::infer_free_shapes(context_.runtime(), context_.env(), certain);
      if (!found) return contradiction(found.error());
      const int64_t folded = fold_known(*trial, *found);
      if (folded + resolve_static_branches(*trial, {}).count == 0) break;
    }
    return std::optional<std::string>("");
  }

 private:
  static std::optional<std::string> contradiction(const Error& error) {
    const std::string& message = error.message();
    const size_t kind =
        std::min(message.find("ShapeInferenceError"), message.find("TypeInferenceError"));
    if (kind == message.npos) return std::nullopt;
    const size_t node = std::min(message.rfind("Op (", kind), kind);
    return message.substr(node, kMessageLength);
  }

  /// The graph with what it reads from around it as inputs; absent if a type is not known.
  std::optional<model::Model> isolate(const model::ShapeTable& shapes) const {
    model::Model trial;
    trial.ir_version = std::max(model_.ir_version, model::kFirstIrWithConstants);
    trial.opset_imports = model_.opset_imports;
    trial.functions = model_.functions;
    trial.graph = model::clone(place_.graph);
    for (model::Value& input : trial.graph.inputs) {
      const auto it = shapes.find(input.name);
      if (it != shapes.end()) input = open_value(input.name, it->second, true);
    }
    for (const std::string& name : captured(place_.graph)) {
      const auto it = shapes.find(name);
      if (const model::Constant* constant = constants_.find(place_.graph, name)) {
        trial.graph.initializers.push_back(*constant);
        trial.graph.initializers.back().name = name;
      } else if (it != shapes.end()) {
        trial.graph.inputs.push_back(open_value(name, it->second, true));
      } else {
        return std::nullopt;
      }
    }
    return trial;
  }

  /// The nodes that surely run, with inputs in place of what branches and loops make. What depends
  /// on something of unknown type is left out: it would not object.
  static model::Model without_control_flow(const model::Model& trial,
                                           const model::ShapeTable& shapes) {
    model::Model certain = model::clone(trial);
    std::unordered_set<std::string> lost;
    const auto is_lost = [&](const std::string& name) { return lost.contains(name); };
    std::erase_if(certain.graph.nodes, [&](const model::Node& node) {
      const bool holds = node.holds_graphs();
      if (!holds && std::none_of(node.inputs.begin(), node.inputs.end(), is_lost)) return false;
      for (const std::string& output : node.outputs) {
        const auto it = shapes.find(output);
        if (holds && it != shapes.end()) {
          certain.graph.inputs.push_back(open_value(output, it->second, false));
        } else if (!output.empty()) {
          lost.insert(output);
        }
      }
      return true;
    });
    auto& outputs = certain.graph.outputs;
    std::erase_if(outputs, [&](const model::Value& output) { return is_lost(output.name); });
    if (outputs.empty() && !certain.graph.nodes.empty()) {
      outputs.emplace_back().name = certain.graph.nodes.back().outputs.front();
    }
    return certain;
  }

  model::Model& model_;
  const Place& place_;
  const PassContext& context_;
  model::ConstantIndex constants_;
};

}  // namespace

Result<std::optional<DeadBranch>> find_dead_branch(model::Model& model, const Place& place,
                                                   const PassContext& context) {
  const model::ShapeTable* shapes = WATTWISE_TRY(context.shapes(model));
  BranchTrial trial(model, place, context);
  const auto if_true = WATTWISE_TRY(trial.objection(*shapes, true));
  const auto if_false = WATTWISE_TRY(trial.objection(*shapes, false));
  if (!if_true || !if_false || if_true->empty() == if_false->empty()) {
    return std::optional<DeadBranch>();
  }
  const bool condition = if_true->empty();
  return std::optional(DeadBranch{condition, condition ? *if_false : *if_true});
}

}  // namespace wattwise::optimize
