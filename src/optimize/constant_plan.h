// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "model/graph.h"

namespace wattwise::optimize {

/// Results up to this size are always worth keeping: a node costs about as much in a file.
inline constexpr uint64_t kSmallConstant = 1024;

/// A value of one graph; names may come again in graphs that do not see each other.
using ValueKey = std::pair<const model::Graph*, std::string>;

/// A value that follows from constants.
struct ConstantValue {
  ValueKey key;
  const model::Constant* constant = nullptr;  ///< null: made by a node of the plan
  std::optional<uint64_t> bytes;              ///< absent until it has been computed
  bool kept = false;                          ///< read by something that stays
};

/// A node that can be computed before the model runs.
struct ConstantNode {
  model::Node* node = nullptr;
  std::vector<std::optional<size_t>> inputs;  ///< positions in `values`; absent: left out
  std::vector<std::optional<size_t>> outputs;
};

/// What of a model can be computed from its constants alone, in an order in which it can be.
struct ConstantPlan {
  std::vector<ConstantValue> values;
  std::vector<ConstantNode> nodes;
  std::vector<const model::Node*> too_large;  ///< left alone: the file would grow
};

/// Sizes of values that were computed before.
using KnownSizes = std::map<ValueKey, uint64_t>;

/// Finds the nodes all of whose inputs are constants, in all graphs. Left out: random ones, ones
/// with graphs inside, ones whose results are no plain tensors, and ones whose results would take
/// more room than the constants that they make unnecessary. With an empty `shapes` room is not
/// asked for: what comes out empty then is empty with any.
ConstantPlan plan_constants(model::Model& model, const model::ShapeTable& shapes,
                            const KnownSizes& sizes);

}  // namespace wattwise::optimize
