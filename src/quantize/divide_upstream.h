// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "optimize/graph_editor.h"

namespace wattwise::quantize {

/// Divides a value by one number for each position of its last axis, in constants that make it:
///
///   x * c, x / c, x + c and LayerNormalization   take it into their constants;
///   MatMul(x, W)            takes it into the columns of W;
///   MatMul(x, y)            passes what does not vary along y's rows on to y, as for the values of
///                           an attention;
///   Transpose and Reshape   pass it on.
///
/// Nothing else may read the values on the way, but for their shapes. False, and nothing is
/// changed, where the way ends before all of it is in constants.
bool divide_upstream(optimize::GraphEditor& graph, const model::ShapeTable& shapes,
                     const std::string& value, const std::vector<float>& divisors);

}  // namespace wattwise::quantize
