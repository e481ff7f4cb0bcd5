// SPDX-License-Identifier: Apache-2.0
#include "quantize/approximate_gelu.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "measure/metrics.h"
#include "optimize/elementwise_parts.h"
#include "optimize/erf_gelu.h"
#include "quantize/integer_matmul.h"
#include "quantize/quantize_weights.h"

namespace wattwise::quantize {
namespace {

using optimize::GraphEditor;

/// The largest difference of both forms.
constexpr double kTangentError = 4.8e-4;
/// So many times that is a step: see the header.
constexpr double kWideStep = 7;

/// The largest |x| of numbers, in 16 bits perhaps; infinite for what is none.
double largest_of(const model::Constant& constant) {
  const auto values = measure::as_floats(constant.tensor());
  if (!values) return std::numeric_limits<double>::infinity();
  double largest = 0;
  for (const float x : *values) largest = std::max(largest, std::fabs(double{x}));
  return largest;
}

/// The largest |factor| where the node only scales the value by constants.
std::optional<double> scale_of(const GraphEditor& graph, const model::Node& node,
                               const std::string& value) {
  if (!node.is("Mul") || node.inputs.size() != 2) return std::nullopt;
  const std::string& factor = node.inputs[node.inputs[0] == value ? 1 : 0];
  const model::Node* cast = graph.producer_if(factor, "Cast");
  const model::Constant* constant = graph.constant(cast ? cast->inputs[0] : factor);
  return constant ? std::optional(largest_of(*constant)) : std::nullopt;
}

/// Whether the value goes, times `scale` at most, into integers wherever it is read, whose steps
/// are wide enough.
bool is_rounded_coarsely(const GraphEditor& graph, const RoundingSteps& steps,
                         const std::string& value, double scale) {
  const auto readers = graph.readers(value);
  if (readers.empty() || graph.uses(value) != static_cast<int>(readers.size())) return false;
  return std::all_of(readers.begin(), readers.end(), [&](const model::Node* reader) {
    if (is_integer_product(*reader)) {
      const auto step = steps.find(value);
      return reader->inputs[0] == value && step != steps.end() &&
             step->second >= kWideStep * scale * kTangentError;
    }
    const auto factor = scale_of(graph, *reader, value);
    return factor && is_rounded_coarsely(graph, steps, reader->outputs[0], scale * *factor);
  });
}

model::Node fast_gelu(const std::string& x, const std::string& result) {
  model::Node node = optimize::make_node("FastGelu", {x}, result);
  node.domain = "com.microsoft";
  return node;
}

/// The GELU that ends or is this node; its nodes are all that make it.
std::optional<optimize::ErfGelu> gelu_of(const GraphEditor& graph, const model::ShapeTable& shapes,
                                         model::Node& node) {
  if (node.is("Erf")) return optimize::read_erf_gelu(graph, shapes, node);
  const bool is_exact = node.op_type == "Gelu" &&
                        (node.is_standard() || node.domain == "com.microsoft") &&
                        node.string_or("approximate", "none") == "none";
  if (!is_exact) return std::nullopt;
  return optimize::ErfGelu{node.inputs[0], node.outputs[0], {&node}, true};
}

}  // namespace

void approximate_gelus(GraphEditor& graph, const model::ShapeTable& shapes,
                       const RoundingSteps& steps, MethodOutcome& outcome) {
  for (model::Node* node : graph.nodes()) {
    const auto gelu = gelu_of(graph, shapes, *node);
    if (!gelu || !is_rounded_coarsely(graph, steps, gelu->result, 1)) continue;
    if (!optimize::is_float(shapes, gelu->x)) continue;
    for (model::Node* old : gelu->nodes) graph.remove(*old);
    graph.add(fast_gelu(gelu->x, gelu->result));
    count_applied(outcome, "approximate_gelu", 1);
    outcome.decisions.push_back(
        {"approximate_gelu", gelu->result,
         "only integer products read it, whose steps in all samples are seven "
         "times as wide as what a tangent changes, and more"});
  }
}

}  // namespace wattwise::quantize
