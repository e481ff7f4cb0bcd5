// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "optimize/graph_editor.h"

namespace wattwise::optimize {

/// 0.5 x (1 + erf(x / sqrt 2)), spelled out.
struct ErfGelu {
  std::string x;
  std::string result;
  std::vector<model::Node*> nodes;  ///< all, in any order
  bool known = false;               ///< to the runtime, as it is
};

/// The GELU around this Erf, in whatever order its factors stand; absent where it is none, or where
/// something else reads a part of it.
std::optional<ErfGelu> read_erf_gelu(const GraphEditor& graph, const model::ShapeTable& shapes,
                                     model::Node& erf);

}  // namespace wattwise::optimize
