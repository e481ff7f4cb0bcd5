// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "optimize/permutation.h"

namespace wattwise::optimize {

/// How a Transpose passes a node: instead of its inputs its output is transposed.
struct Passage {
  std::vector<size_t> data;  ///< slots that are to be permuted alike, or be constants
  Permutation output;        ///< of each output
  double cost = 0;           ///< in Transposes: what the node itself becomes dearer by
};

/// Whether a Transpose by `permutation`, in front of the input in `slot`, can pass the node. Other
/// inputs are not looked at, but for those that hold axes or numbers.
std::optional<Passage> passage(const GraphEditor& graph, const model::Node& node, size_t slot,
                               const Permutation& permutation);

/// Changes the axes that the node names. Precondition: passage() allows it.
void adapt_axes(GraphEditor& graph, model::Node& node, const Permutation& permutation);

}  // namespace wattwise::optimize
