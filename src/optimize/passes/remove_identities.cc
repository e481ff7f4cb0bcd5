// SPDX-License-Identifier: Apache-2.0
// A node that returns its input unchanged, whatever that is, is not needed.
//
//   before:  Identity(x) -> y;  Relu(y)        after:  Relu(x)
//
// Exact: y = x. Taken out: Identity; Dropout whose mask is not read (at inference it passes its
// input through; from opset 12 on only without a training_mode input, before 7 only with is_test);
// Concat, Sum, Max, Min and Mean of one value; Split into one part. Where y is an output of its
// graph, the node that makes x makes y.
#include <algorithm>
#include <array>

#include "optimize/bypass.h"
#include "optimize/passes/passes.h"
#include "optimize/shape_facts.h"

namespace wattwise::optimize {
namespace {

constexpr auto kOfMany = std::to_array<std::string_view>({"Concat", "Sum", "Max", "Min", "Mean"});

bool passes_through(const model::Node& node, int64_t opset) {
  if (node.is("Identity")) return true;
  if (node.is("Split")) return node.outputs.size() == 1;
  // Before opset 7 training was the default.
  if (node.is("Dropout")) {
    return !has_input(node, 2) && node.int_or("is_test", opset < 7 ? 0 : 1) != 0;
  }
  return node.inputs.size() == 1 && node.is_one_of(kOfMany);
}

}  // namespace

Result<PassOutcome> remove_identities(model::Model& model, const PassContext& context) {
  const int64_t opset = model.opset("");
  const auto candidate = [&](const model::Node& node) { return passes_through(node, opset); };
  if (!any_node(model, candidate)) return PassOutcome();
  return bypass_nodes(model, context, [&](const GraphEditor&, const model::Node& node) {
    return candidate(node) && !node.inputs.empty() ? std::optional(node.inputs[0]) : std::nullopt;
  });
}

}  // namespace wattwise::optimize
