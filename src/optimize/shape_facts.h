// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "optimize/graph_editor.h"
#include "optimize/optimize.h"

namespace wattwise::optimize {

/// What holds for a value's type and shape whatever the model is fed, read from a table that may
/// have gaps. Thread rule: one thread.
class ShapeFacts {
 public:
  explicit ShapeFacts(const model::ShapeTable& table) : table_(table) {}

  DataType type(const std::string& value) const;
  /// Sizes, -1 where free; null if the rank is not known.
  const std::vector<int64_t>* shape(const std::string& value) const;
  std::optional<int64_t> rank(const std::string& value) const;

 private:
  const model::ShapeTable& table_;
};

/// True if both shapes are the same for every input, given that both hold equally many elements:
/// equal sizes, of which one may be free.
bool is_same_layout(const std::vector<int64_t>& a, const std::vector<int64_t>& b);
/// True if broadcasting a constant of this shape against the value leaves the value's shape alone.
bool broadcasts_into(const std::vector<int64_t>& constant, const std::vector<int64_t>& value);

/// The elements of an int64 or int32 constant that stands at `slot`; absent if the slot is empty or
/// holds no constant.
std::optional<std::vector<int64_t>> integers_at(const GraphEditor& graph, const model::Node& node,
                                                size_t slot);
/// The same for what was an attribute before it became an input.
std::optional<std::vector<int64_t>> integers_of(const GraphEditor& graph, const model::Node& node,
                                                std::string_view attribute, size_t slot);
/// True if the node has something at this input.
bool has_input(const model::Node& node, size_t slot);
/// Negative axes count from the end.
int64_t from_start(int64_t axis, int64_t rank);

/// True if the constant, of a type of whole numbers or floats, holds nothing but `number`.
bool holds_only(const model::Constant& constant, double number);

}  // namespace wattwise::optimize
