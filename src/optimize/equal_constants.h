// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "model/graph.h"

namespace wattwise::optimize {

/// Names of the graph's inputs and outputs, whose constants must stay as they are.
std::unordered_set<std::string> port_names(const model::Graph& graph);

/// True for equal type, shape and bytes. Pages that were read go back to `store` (may be null).
bool is_equal(const model::Constant& a, const model::Constant& b,
              const model::ConstantStore* store = nullptr);

/// A number that equal constants share. It is made of the type, the shape and a few bytes here and
/// there: of large constants that differ almost no page is read.
size_t fingerprint(const model::Constant& constant);

/// Finds constants that were seen before. What it was given must stay where it is.
class ConstantSet {
 public:
  explicit ConstantSet(const model::ConstantStore* store = nullptr) : store_(store) {}
  /// The equal one seen first, or null; then the given one is the first.
  const model::Constant* find_or_add(const model::Constant& constant);

 private:
  const model::ConstantStore* store_;
  std::unordered_multimap<size_t, const model::Constant*> seen_;
};

}  // namespace wattwise::optimize
