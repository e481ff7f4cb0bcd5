// SPDX-License-Identifier: Apache-2.0
#include "quantize/qdq_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_map>

namespace wattwise::quantize {
namespace {

/// What looking at a node for QDQ needs.
struct QdqReading {
  optimize::GraphEditor& graph;
  const model::ShapeTable& shapes;
  const ProviderOperators& provider;

  bool is_float(const std::string& value) const {
    const auto it = shapes.find(value);
    return it != shapes.end() && it->second.type == DataType::kFloat;
  }
  bool changes(const std::string& value) const {
    return !value.empty() && is_float(value) && !graph.constant(value) && graph.defines(value);
  }
  /// The float constant at this input; null for anything else.
  const model::Constant* floats(const model::Node& node, size_t slot) const {
    const auto* constant = node.inputs.size() > slot ? graph.constant(node.inputs[slot]) : nullptr;
    return constant && constant->type == DataType::kFloat ? constant : nullptr;
  }
};

bool has_usual_bias(const QdqReading& reading, const model::Node& node, int64_t outputs) {
  if (node.inputs.size() < 3 || node.inputs[2].empty()) return true;
  const model::Constant* bias = reading.floats(node, 2);
  return bias && bias->shape == std::vector<int64_t>{outputs};
}

/// Whether weights and bias are constants of the form that takes integers.
bool has_weights(const QdqReading& reading, const model::Node& node) {
  const model::Constant* weights = reading.floats(node, 1);
  if (!weights || weights->element_count() == 0) return false;
  const auto& shape = weights->shape;
  if (node.op_type == "Conv") {
    return shape.size() >= 3 && has_usual_bias(reading, node, shape[0]);
  }
  if (shape.size() != 2) return false;
  if (node.op_type == "MatMul") return true;
  return node.int_or("transA", 0) == 0 && node.float_or("alpha", 1) == 1 &&
         node.float_or("beta", 1) == 1 &&
         has_usual_bias(reading, node, shape[node.int_or("transB", 0) != 0 ? 0 : 1]);
}

/// The slots of activations, if constants are all that the operator reads beside.
std::optional<std::vector<size_t>> operand_slots(const QdqReading& reading,
                                                 const model::Node& node) {
  std::vector<size_t> slots;
  for (size_t slot = 0; slot < node.inputs.size(); ++slot) {
    if (reading.changes(node.inputs[slot])) {
      slots.push_back(slot);
    } else if (!reading.floats(node, slot)) {
      return std::nullopt;
    }
  }
  return slots.empty() ? std::nullopt : std::optional(slots);
}

std::optional<QdqStep> read_qdq_step(const QdqReading& reading, model::Node& node) {
  const auto row = reading.provider.operators.find(node.op_type);
  if (!node.is_standard() || row == reading.provider.operators.end() || node.inputs.empty() ||
      !std::all_of(node.outputs.begin(), node.outputs.end(),
                   [&](const std::string& output) { return reading.is_float(output); })) {
    return std::nullopt;
  }
  QdqRole role = row->second;
  if (role == QdqRole::kWeights && has_weights(reading, node)) {
    return reading.changes(node.inputs[0]) ? std::optional(QdqStep{&node, role, {0}})
                                           : std::nullopt;
  }
  if (role == QdqRole::kWeights) {
    if (node.op_type != "MatMul") return std::nullopt;
    role = QdqRole::kOperands;
  }
  if (role == QdqRole::kOperands) {
    auto slots = operand_slots(reading, node);
    return slots ? std::optional(QdqStep{&node, role, std::move(*slots)}) : std::nullopt;
  }
  return reading.changes(node.inputs[0]) ? std::optional(QdqStep{&node, role, {0}}) : std::nullopt;
}

/// Where a Relu or Clip around zero ends.
std::optional<View> clip_of(const QdqReading& reading, const model::Node& node) {
  View view;
  if (node.op_type == "Relu") {
    view.low = 0;
    return view;
  }
  if (node.op_type != "Clip") return std::nullopt;
  const auto bound = [&](size_t slot, double& to) {
    if (node.inputs.size() <= slot || node.inputs[slot].empty()) return true;
    const auto value = optimize::scalar_value(reading.floats(node, slot));
    if (value) to = *value;
    return value.has_value();
  };
  const bool known = bound(1, view.low) && bound(2, view.high);
  return known && view.low <= 0 && view.high >= 0 ? std::optional(view) : std::nullopt;
}

/// Whether QuantizeLinear behind the step may take its clip in.
bool makes_new_values(const QdqStep& step) {
  return step.role == QdqRole::kWeights ||
         (step.role == QdqRole::kOperands && step.node->op_type != "Concat");
}

void add_holders(const QdqStep& step, QdqPlan& plan) {
  for (const size_t slot : step.slots) {
    const std::string& input = step.node->inputs[slot];
    plan.holders.try_emplace(input, input);
  }
  for (const std::string& output : step.node->outputs) {
    plan.holders[output] =
        step.role == QdqRole::kMove ? plan.holders.at(step.node->inputs[0]) : output;
  }
}

/// The values that a node computes in float although it could have got them quantized.
void tell_kinds(const std::map<std::string, int>& kinds, QdqPlan& plan) {
  for (const auto& [op, count] : kinds) {
    plan.decisions.push_back(
        {"keep_float", op,
         fmt::format("{} nodes of a form that the provider's table does not have", count)});
  }
}

}  // namespace

QdqPlan plan_qdq(optimize::GraphEditor& graph, const model::ShapeTable& shapes,
                 const ProviderOperators& provider) {
  const QdqReading reading{graph, shapes, provider};
  QdqPlan plan;
  std::unordered_map<std::string, size_t> makers;
  std::map<std::string, int> in_float;
  for (model::Node* node : graph.nodes()) {
    auto step = read_qdq_step(reading, *node);
    if (!step) {
      const auto is_float = [&](const std::string& value) { return reading.is_float(value); };
      const bool works_on_floats =
          std::any_of(node->inputs.begin(), node->inputs.end(),
                      [&](const std::string& input) { return reading.changes(input); }) &&
          std::any_of(node->outputs.begin(), node->outputs.end(), is_float);
      if (works_on_floats) ++in_float[node->op_type];
      continue;
    }
    const std::string input = node->inputs[step->slots[0]];
    const auto maker = makers.find(input);
    const auto clip = clip_of(reading, *node);
    if (clip && maker != makers.end() && graph.uses(input) == 1 &&
        makes_new_values(plan.steps[maker->second])) {
      const std::string output = node->outputs[0];
      model::Node& before = *plan.steps[maker->second].node;
      graph.remove(*node);
      graph.set_outputs(before, {output});
      plan.clips[output] = *clip;
      makers[output] = maker->second;
      continue;
    }
    for (const std::string& output : node->outputs) makers[output] = plan.steps.size();
    plan.steps.push_back(std::move(*step));
  }
  for (const QdqStep& step : plan.steps) add_holders(step, plan);
  tell_kinds(in_float, plan);
  return plan;
}

}  // namespace wattwise::quantize
