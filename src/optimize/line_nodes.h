// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "optimize/graph_editor.h"

namespace wattwise::optimize {

/// A node over lines (float values [N, C, L]) that does the same over planes of one row
/// [N, C, 1, L] once its constants and attributes have that axis too.
struct LineNode {
  model::Node* node = nullptr;
  std::vector<size_t> data;    ///< slots of the inputs that are lines
  bool stays_blocked = false;  ///< over planes, the provider's blocked layout has a kernel for it
  /// Weights that work better in the blocked layout, in those of a convolution whose windows would
  /// be gathered in front of a matrix product.
  int64_t gain = 0;

  const std::string& output() const { return node->outputs[0]; }
};

/// Whether the value is known to be [N, C, L] of floats, with whatever sizes.
bool is_line(const model::ShapeTable& shapes, const std::string& value);

/// The node as one over lines; absent for any other. `block` is the number of channels that the
/// provider's layout holds side by side.
std::optional<LineNode> line_node(const GraphEditor& graph, const model::ShapeTable& shapes,
                                  model::Node& node, int64_t block);

/// Gives attributes and constants of the node the axis of one row. Its lines are not touched.
void add_row_axis(GraphEditor& graph, const LineNode& line);

}  // namespace wattwise::optimize
