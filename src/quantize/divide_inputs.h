// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "optimize/graph_editor.h"
#include "quantize/input_statistics.h"

namespace wattwise::quantize {

/// A value whose columns are divided, and the matrices that multiply it, whose rows are multiplied
/// by the same: X W = (X / d) (d W). In names: pointers into the model do not outlive its editing.
struct DividedInput {
  ProductInput input;
  std::vector<float> divisors;
  std::vector<std::string> weights;
};

/// Does so, exactly: the division goes into the constants that make the value, if nothing else
/// reads it, or into a new Mul. Returns whether it took that node.
bool divide_input(optimize::GraphEditor& graph, const model::ShapeTable& shapes,
                  const DividedInput& item);

}  // namespace wattwise::quantize
