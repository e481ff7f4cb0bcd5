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

/// The same by an object for each graph, made of the editor and the shapes, whose run() returns how
/// many nodes it changed.
template <typename Rewriter>
Result<PassOutcome> rewrite_graphs_by(model::Model& model, const PassContext& context) {
  return rewrite_graphs(model, context, [](GraphEditor& graph, const model::ShapeTable& shapes) {
    return Rewriter(graph, shapes).run();
  });
}

}  // namespace wattwise::optimize
