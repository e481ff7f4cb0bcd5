// SPDX-License-Identifier: Apache-2.0
#include "optimize/rewrite_graphs.h"

namespace wattwise::optimize {

Result<PassOutcome> rewrite_graphs(model::Model& model, const PassContext& context,
                                   const GraphRewrite& rewrite) {
  const model::ShapeTable* shapes = WATTWISE_TRY(context.shapes(model));
  PassOutcome outcome;
  ModelEditor& editor = context.open(model);
  for (GraphEditor& graph : editor.graphs()) outcome.changed += rewrite(graph, *shapes);
  WATTWISE_TRY(editor.finish());
  return outcome;
}

}  // namespace wattwise::optimize
