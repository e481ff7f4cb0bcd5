// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "optimize/graph_editor.h"
#include "optimize/optimize.h"

namespace wattwise::optimize {

/// Changes one graph and returns how many nodes it changed.
using GraphRewrite = std::function<int64_t(GraphEditor& graph, const model::ShapeTable& shapes)>;

/// Rewrites every graph of the model, the main one first, with the shapes that hold for all inputs.
Result<PassOutcome> rewrite_graphs(model::Model& model, const PassContext& context,
                                   const GraphRewrite& rewrite);

}  // namespace wattwise::optimize
