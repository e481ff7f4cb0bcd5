// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/graph.h"

namespace wattwise::engine {

/// Nodes of a graph that are run together, apart from the rest.
struct Block {
  std::vector<size_t> nodes;           ///< positions in the graph's nodes, ascending
  std::vector<std::string> constants;  ///< initializers that they read
  std::vector<std::string> inputs;     ///< values that earlier blocks made, or that are fed
  std::vector<std::string> outputs;    ///< values that later blocks read, or that are outputs
  /// Memory for the constants and for what is unpacked from them. A table that Gather reads counts
  /// nothing, since only a few of its rows are touched.
  uint64_t weight_bytes = 0;
  uint64_t unpacked_bytes = 0;  ///< of the largest value that is computed from constants alone
};

/// Cuts the graph into blocks, in the order of its nodes, each as large as `max_bytes` allow; a
/// node that needs more stands alone, as does one that makes a value named in `alone`. What follows
/// from constants alone is computed in each block that reads it. Preconditions: nodes are sorted,
/// and no constant is made by a `Constant` node.
std::vector<Block> plan_blocks(const model::Graph& graph, uint64_t max_bytes,
                               const std::vector<std::string>& alone = {});

}  // namespace wattwise::engine
