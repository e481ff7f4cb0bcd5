// SPDX-License-Identifier: Apache-2.0
#include "optimize/limits.h"

namespace wattwise::optimize {
namespace {

/// An input left out is the fallback; one that is no constant number has no value.
std::optional<float> limit_input(const GraphEditor& graph, const model::Node& node, size_t slot,
                                 float fallback) {
  if (node.inputs.size() <= slot || node.inputs[slot].empty()) return fallback;
  return scalar_value(graph.constant(node.inputs[slot]));
}

std::string number(GraphEditor& graph, const std::string& base, float value) {
  return graph.add_constant(base, make_float_tensor({}, {&value, 1}));
}

}  // namespace

std::optional<LimitStep> clip_step(const GraphEditor& graph, const model::Node& node,
                                   int64_t opset) {
  if (!node.is("Clip") || node.inputs.empty()) return std::nullopt;
  if (opset < kFirstClipByInputs) {
    return LimitStep{node.inputs[0],
                     {node.float_or("min", -kNoLimit), node.float_or("max", kNoLimit)}};
  }
  const auto low = limit_input(graph, node, 1, -kNoLimit);
  const auto high = limit_input(graph, node, 2, kNoLimit);
  if (!low || !high) return std::nullopt;
  return LimitStep{node.inputs[0], {*low, *high}};
}

void add_limit(GraphEditor& graph, const LimitStep& step, const std::string& output,
               int64_t opset) {
  const auto [low, high] = step.limits;
  if (low == 0 && high >= kNoLimit) {
    graph.add(make_node("Relu", {step.input}, output));
    return;
  }
  model::Node clip = make_node("Clip", {step.input}, output);
  if (opset < kFirstClipByInputs) {
    clip.set_attribute("min", low);
    clip.set_attribute("max", high);
  } else {
    const bool limits_below = low > -kNoLimit;
    const bool limits_above = high < kNoLimit;
    if (limits_below || limits_above) {
      clip.inputs.push_back(limits_below ? number(graph, output + "_min", low) : "");
    }
    if (limits_above) clip.inputs.push_back(number(graph, output + "_max", high));
  }
  graph.add(std::move(clip));
}

}  // namespace wattwise::optimize
