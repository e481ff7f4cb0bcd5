// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>

#include "optimize/graph_editor.h"
#include "optimize/optimize.h"

namespace wattwise::optimize {

/// Which values the provider holds in its blocked convolution layout, as far as ONNX Runtime's
/// rules are known: what comes from a convolution, and goes through activations, pooling, sums and
/// products of like shapes. Says what pays, and nothing on which correctness may rest. Thread rule:
/// one thread; the graph keeps its nodes.
class BlockedValues {
 public:
  /// `block` is TargetFacts::channel_block, not 0.
  BlockedValues(GraphEditor& graph, const model::ShapeTable& shapes, int64_t block);

  bool contains(const std::string& value) const { return values_.contains(value); }
  /// Whether the node would read the value as it lies, if it was blocked.
  bool reads_blocked(model::Node& node, const std::string& value) const;
  /// Whether the value's channels are known and fill whole blocks.
  bool fills_blocks(const std::string& value) const;

 private:
  bool makes_blocked(model::Node& node) const;

  const GraphEditor& graph_;
  const model::ShapeTable& shapes_;
  int64_t block_;
  std::unordered_set<std::string> values_;
};

}  // namespace wattwise::optimize
