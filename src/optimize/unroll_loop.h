// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/graph.h"
#include "optimize/inline_graph.h"

namespace wattwise::optimize {

/// What is known of a `Loop` before it runs.
struct LoopFacts {
  std::optional<int64_t> limit;   ///< the trip count; absent if unknown or not given
  bool is_limited = false;        ///< a trip count is given, known or not
  std::optional<bool> condition;  ///< the first condition; true where none is given
  std::optional<bool> goes_on;    ///< the condition that the body makes; true if handed on
  int64_t opset = 0;
  std::function<bool(const std::string&)> is_read;  ///< of the values around the node
};

/// The nodes of a loop that came apart, or why it did not; neither if that depends on inputs.
struct UnrolledLoop {
  std::optional<std::vector<model::Node>> nodes;
  std::string refusal;
};

/// Loops that run not at all or once, and longer ones whose file gets no larger by it. What each
/// run makes is stacked as the loop stacked it.
UnrolledLoop unroll_loop(const model::Node& node, const model::Graph& body, const LoopFacts& facts,
                         Inliner& inliner);

}  // namespace wattwise::optimize
