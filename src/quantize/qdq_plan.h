// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "optimize/graph_editor.h"
#include "quantize/integer_plan.h"
#include "quantize/provider_operators.h"

namespace wattwise::quantize {

/// One operator that gets its activations from DequantizeLinear and gives its results to
/// QuantizeLinear.
struct QdqStep {
  model::Node* node;
  QdqRole role;
  std::vector<size_t> slots;  ///< of its inputs that are activations
};

/// Operators of the main graph that a provider computes on quantized activations as they stand.
struct QdqPlan {
  std::vector<QdqStep> steps;
  /// Quantized value -> the value whose scale it has: itself where nothing moved it there.
  std::map<std::string, std::string> holders;
  std::map<std::string, View> clips;  ///< where values end whose Relu or Clip is gone
  std::vector<Decision> decisions;    ///< kinds of operators that stay in float
};

/// Takes each Relu or Clip around zero that alone reads what a product or sum makes out of the
/// graph: QuantizeLinear clips where it does. `shapes` tells which values are floats. `form` has a
/// provider.
QdqPlan plan_qdq(optimize::GraphEditor& graph, const model::ShapeTable& shapes,
                 const ActivationForm& form);

}  // namespace wattwise::quantize
