// SPDX-License-Identifier: Apache-2.0
#include "quantize/effective_range.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace wattwise::quantize {
namespace {

/// Where a view begins to be more than 0; absent if it begins elsewhere or nowhere.
std::optional<double> root_of(const IntegerStep& step) {
  if (step.form != IntegerForm::kView || step.view.low != 0) return std::nullopt;
  return -step.view.shift / step.view.scale;
}

/// Whether the step multiplies the value by nothing but its own view.
bool is_gated(const IntegerStep& step, const std::string& value, const std::string& gate) {
  return step.node->is("Mul") && step.form == IntegerForm::kArithmetic && step.inputs.size() == 2 &&
         ((step.inputs[0] == value && step.inputs[1] == gate) ||
          (step.inputs[1] == value && step.inputs[0] == gate));
}

}  // namespace

std::map<std::string, double> lowest_effective(const optimize::GraphEditor& graph,
                                               const std::vector<IntegerStep>& steps) {
  std::map<std::string, std::vector<const IntegerStep*>> readers;
  for (const IntegerStep& step : steps) {
    for (const std::string& input : step.inputs) readers[input].push_back(&step);
  }
  std::map<std::string, double> bounds;
  for (const auto& [value, all] : readers) {
    if (graph.uses(value) != static_cast<int>(all.size())) continue;
    const auto gate = std::find_if(
        all.begin(), all.end(), [](const IntegerStep* step) { return root_of(*step).has_value(); });
    if (gate == all.end()) continue;
    const auto harmless = [&, &name = value](const IntegerStep* step) {
      return step == *gate || is_gated(*step, name, (*gate)->output);
    };
    if (std::all_of(all.begin(), all.end(), harmless)) bounds[value] = *root_of(**gate);
  }
  return bounds;
}

}  // namespace wattwise::quantize
