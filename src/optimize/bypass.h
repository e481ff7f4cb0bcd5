// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "optimize/graph_editor.h"
#include "optimize/optimize.h"

namespace wattwise::optimize {

/// Takes out a node whose first output always equals `value`, a value that the node's graph sees.
/// An output of the graph keeps its name: the node that makes `value` then makes the output. False,
/// with nothing changed, where that cannot be: further outputs are read, or the output would be an
/// input, a constant, another output or a value of a graph around.
bool bypass(GraphEditor& graph, model::Node& node, const std::string& value);

/// The value that the node's first output always equals; absent if the node does something.
using SameValue =
    std::function<std::optional<std::string>(const GraphEditor& graph, const model::Node& node)>;

/// Bypasses every node of the model that `same_value` names a value for.
Result<PassOutcome> bypass_nodes(model::Model& model, const PassContext& context,
                                 const SameValue& same_value);

/// True if some node, in whatever graph, satisfies the predicate.
bool any_node(const model::Model& model, const std::function<bool(const model::Node&)>& predicate);

}  // namespace wattwise::optimize
