// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "optimize/graph_editor.h"

namespace wattwise::optimize {

/// Clip takes its limits as inputs from this opset on, as attributes before.
inline constexpr int64_t kFirstClipByInputs = 11;
/// What Clip's limits are when left out; the lower one with a minus.
inline constexpr float kNoLimit = std::numeric_limits<float>::max();

/// Values from `low` to `high` stay, others move to the nearer end.
struct Limits {
  float low = -kNoLimit;
  float high = kNoLimit;
  float of(float value) const { return std::min(std::max(value, low), high); }
  bool in_order() const { return low <= high; }
};

/// A node that limits `input`.
struct LimitStep {
  std::string input;
  Limits limits;
};

/// Reads a Clip; absent if the node is none or a limit is no constant float.
std::optional<LimitStep> clip_step(const GraphEditor& graph, const model::Node& node,
                                   int64_t opset);
/// Writes one, or a Relu if that is what the limits say.
void add_limit(GraphEditor& graph, const LimitStep& step, const std::string& output, int64_t opset);

}  // namespace wattwise::optimize
