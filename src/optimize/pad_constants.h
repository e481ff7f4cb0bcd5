// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "optimize/graph_editor.h"

namespace wattwise::optimize {

/// The float constant enlarged to `shape` by zeros at the end of each axis; the same if it has that
/// shape. Returns the name of a new constant.
std::string pad_constant(GraphEditor& graph, const std::string& value,
                         const std::vector<int64_t>& shape);

/// The part [begin, end) of the first axis as a new constant.
std::string slice_constant(GraphEditor& graph, const std::string& value, int64_t begin,
                           int64_t end);

}  // namespace wattwise::optimize
