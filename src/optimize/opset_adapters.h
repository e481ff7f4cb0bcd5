// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "optimize/graph_editor.h"
#include "optimize/shape_facts.h"

namespace wattwise::optimize {

struct AdapterContext {
  GraphEditor& graph;
  const ShapeFacts& facts;
};

/// How an operator of the standard changed in a way that breaks its older spelling. Operators and
/// versions without a row only gained types, attributes or optional inputs.
struct AdapterRow {
  std::string_view op;
  int64_t to;  ///< the operator set that changed it
  /// Rewrites a node of the set before; an error says why there is no form in the new one.
  Result<void> (*adapt)(const AdapterContext& context, model::Node& node);
};

std::span<const AdapterRow> adapter_table();

}  // namespace wattwise::optimize
