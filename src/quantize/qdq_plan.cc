// SPDX-License-Identifier: Apache-2.0
#include "quantize/qdq_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <set>
#include <unordered_map>

#include "quantize/qdq_forms.h"

namespace wattwise::quantize {
namespace {

bool is_other_real(int64_t type) {
  return type == static_cast<int64_t>(DataType::kFloat16) ||
         type == static_cast<int64_t>(DataType::kBfloat16) ||
         type == static_cast<int64_t>(DataType::kDouble);
}

/// What is made of halves and doubles, as long as nothing casts it to float.
std::set<std::string> other_than_float(optimize::GraphEditor& graph) {
  std::set<std::string> found;
  for (const model::Value& input : graph.graph().inputs) {
    if (is_other_real(static_cast<int64_t>(input.type))) found.insert(input.name);
  }
  const auto is_other = [&](const std::string& value) {
    const model::Constant* constant = graph.constant(value);
    return (constant && is_other_real(static_cast<int64_t>(constant->type))) ||
           found.contains(value);
  };
  for (const model::Node* node : graph.nodes()) {
    const bool makes_other = node->is("Cast")
                                 ? is_other_real(node->int_or("to", 1))
                                 : std::any_of(node->inputs.begin(), node->inputs.end(), is_other);
    if (makes_other) found.insert(node->outputs.begin(), node->outputs.end());
  }
  return found;
}

std::optional<QdqStep> read_qdq_step(const QdqReading& reading, model::Node& node) {
  const auto row = reading.provider.operators.find(node.op_type);
  if (!node.is_standard() || row == reading.provider.operators.end() || node.inputs.empty() ||
      reading.activations.lacks.contains(node.op_type) ||
      !std::all_of(node.outputs.begin(), node.outputs.end(),
                   [&](const std::string& output) { return reading.is_float(output); })) {
    return std::nullopt;
  }
  const QdqForm form = read_form(reading, node, row->second);
  return form.slots.empty() ? std::nullopt : std::optional(QdqStep{&node, form.role, form.slots});
}

/// Scores lie near 0; what is this far away masks them.
constexpr float kMask = 1000;

/// Finds the nodes between products and a Softmax, if something else than products takes part:
/// masks, which come as inputs or as constants of large numbers.
class MaskFinder {
 public:
  explicit MaskFinder(const QdqReading& reading) : reading_(reading) {}

  /// Whether a mask takes part in the value.
  bool is_masked(const std::string& value) {
    const auto [it, is_new] = known_.try_emplace(value, false);
    if (is_new) known_[value] = look(value);
    return known_[value];
  }
  const std::set<const model::Node*>& nodes() const { return nodes_; }

 private:
  bool look(const std::string& value) {
    constexpr auto kCombining =
        std::to_array<std::string_view>({"Add", "Sub", "Mul", "Div", "Where", "Min", "Max", "Sum"});
    constexpr auto kPassing = std::to_array<std::string_view>(
        {"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Slice", "Relu", "LeakyRelu", "Tanh"});
    constexpr auto kProducts =
        std::to_array<std::string_view>({"MatMul", "Gemm", "Conv", "Einsum"});
    if (const model::Constant* constant = reading_.graph.constant(value)) {
      const std::vector<float> numbers = optimize::float_values(*constant);
      return std::any_of(numbers.begin(), numbers.end(),
                         [](float number) { return !(std::fabs(number) < kMask); });
    }
    const model::Node* node = reading_.graph.producer(value);
    if (!node) return true;
    if (node->is_one_of(kProducts)) return false;
    const bool combines = node->is_one_of(kCombining);
    const bool passes = node->is_one_of(kPassing);
    bool found = !combines && !passes;
    if (passes) found = is_masked(node->inputs[0]);
    for (size_t i = 0; combines && i < node->inputs.size(); ++i) {
      found |= is_masked(node->inputs[i]);
    }
    if (found) nodes_.insert(node);
    return found;
  }

  const QdqReading& reading_;
  std::map<std::string, bool> known_;
  std::set<const model::Node*> nodes_;
};

/// Every Softmax of masked scores, with what stands between it and the products.
std::set<const model::Node*> masked_nodes(const QdqReading& reading) {
  std::set<const model::Node*> all;
  for (const model::Node* node : reading.graph.nodes()) {
    if (!node->is("Softmax") || !reading.provider.operators.contains("Softmax")) continue;
    const model::Node* before = reading.graph.producer(node->inputs[0]);
    constexpr auto kAttention = std::to_array<std::string_view>({"Add", "Sub", "Mul", "Where"});
    if (!before || !before->is_one_of(kAttention)) continue;
    MaskFinder finder(reading);
    if (!finder.is_masked(node->inputs[0])) continue;
    all.insert(node);
    all.insert(finder.nodes().begin(), finder.nodes().end());
  }
  return all;
}

/// Whether QuantizeLinear behind the step may take its clip in.
bool makes_new_values(const QdqStep& step) {
  return step.role == QdqRole::kWeights || step.role == QdqRole::kNormalization ||
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
                 const ActivationForm& form) {
  const QdqReading reading{graph, shapes, *form.provider, *form.activations,
                           other_than_float(graph)};
  const std::set<const model::Node*> masked = masked_nodes(reading);
  QdqPlan plan;
  std::unordered_map<std::string, size_t> makers;
  std::map<std::string, int> in_float;
  for (model::Node* node : graph.nodes()) {
    auto step = masked.contains(node) ? std::nullopt : read_qdq_step(reading, *node);
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
    const auto clip = clip_view(graph, *node);
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
  if (!masked.empty()) {
    plan.decisions.push_back({"keep_float", "masks",
                              fmt::format("{} nodes from masked scores to a Softmax: no step holds "
                                          "both a mask and what it leaves",
                                          masked.size())});
  }
  return plan;
}

}  // namespace wattwise::quantize
