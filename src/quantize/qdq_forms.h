// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>
#include <vector>

#include "optimize/graph_editor.h"
#include "quantize/provider_operators.h"

namespace wattwise::quantize {

/// What looking at a node for QDQ needs.
struct QdqReading {
  optimize::GraphEditor& graph;
  const model::ShapeTable& shapes;
  const ProviderOperators& provider;
  const ProviderOperators::Activations& activations;
  /// Values of other types than the table says, which knows what ONNX Runtime makes of halves.
  std::set<std::string> not_float = {};

  bool is_float(const std::string& value) const;
  bool changes(const std::string& value) const;
  /// The constant of finite floats at this input; null for anything else, as for masks.
  const model::Constant* floats(const model::Node& node, size_t slot) const;
};

/// How a node is spelled.
struct QdqForm {
  QdqRole role;
  std::vector<size_t> slots;  ///< of its activations; empty: it stays in float
};

/// Takes what the writer spells so that it means the same, and of transposed convolutions, resizing
/// and padding what accelerators compute as ONNX defines it. `role` is that of its operator.
QdqForm read_form(const QdqReading& reading, const model::Node& node, QdqRole role);

}  // namespace wattwise::quantize
