// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "model/walk.h"
#include "optimize/optimize.h"

namespace wattwise::optimize {

/// An `If` of a model: the graph that it stands in and its place there.
struct Place {
  const model::Graph& graph;
  size_t node;
};

struct DeadBranch {
  bool condition = false;  ///< what the node's condition must be, for every input
  std::string why;         ///< what the other branch leads to
};

/// Whether one branch of an `If` can never run: with its content in place of the node, the nodes
/// that run whenever the node does would contradict each other (an LSTM fed with a tensor of rank
/// 5), as the runtime's inference finds, while the other branch is sound. Both are tried, each on a
/// copy of the one graph without its other control flow, so that only what surely runs can object.
/// Absent if both branches are sound, or if it cannot be told.
Result<std::optional<DeadBranch>> find_dead_branch(model::Model& model, const Place& place,
                                                   const PassContext& context);

}  // namespace wattwise::optimize
