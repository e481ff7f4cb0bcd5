// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/graph.h"
#include "wattwise/types.h"

namespace wattwise::optimize {

/// For `If` nodes: the condition that is known to hold for every input.
using Conditions = std::unordered_map<const model::Node*, bool>;

struct Resolved {
  int64_t count = 0;  ///< nodes that were replaced by what they hold
  std::vector<Decision> decisions;
};

/// Replaces each `If` whose condition is constant or in `known` by its branch, and each `Loop` that
/// unroll_loop() takes apart by what it runs, until there is none left.
Resolved resolve_static_branches(model::Model& model, const Conditions& known);

/// The graph that the node runs when its condition is `condition`; null for a broken node.
const model::Graph* branch_of(const model::Node& node, bool condition);

/// What a person knows the node by.
std::string subject_of(const model::Node& node);

}  // namespace wattwise::optimize
