// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "model/graph.h"

// Shape arithmetic: what is known of small integer and bool values before a model runs. An element
// that depends on a free dimension is unknown; everything known holds for every input.
namespace wattwise::optimize {

/// Values of more elements are not followed: no shape is that long.
inline constexpr int64_t kMaxPartialElements = 128;

using Element = std::optional<int64_t>;  ///< absent: unknown

/// A tensor of int64, int32 or bool (0 and 1) of which elements may be unknown.
struct PartialValue {
  DataType type = DataType::kInt64;
  std::vector<int64_t> shape;
  std::vector<Element> elements;

  bool is_known() const;
};

using MaybeValue = std::optional<PartialValue>;

/// A node's inputs as far as they are known.
struct Operands {
  const model::Node& node;
  int64_t opset;
  std::vector<std::optional<PartialValue>>
      values;                                    ///< absent: left out, another type, or too large
  std::vector<const model::ValueShape*> shapes;  ///< null: nothing known

  /// The value of input `i`, null if there is none.
  const PartialValue* value(size_t i) const {
    return i < values.size() && values[i] ? &*values[i] : nullptr;
  }
  bool has(size_t i) const { return i < node.inputs.size() && !node.inputs[i].empty(); }
};

/// How one operator of the standard domain with one output computes; absent if nothing follows.
struct PartialRule {
  std::string_view op;
  std::optional<PartialValue> (*evaluate)(const Operands& operands);
};

std::span<const PartialRule> partial_rules();

/// The elements as integers if all are known.
std::optional<std::vector<int64_t>> known_elements(const PartialValue* value);
/// An int64, int32 or bool constant of few elements.
std::optional<PartialValue> partial_value(const model::Constant& constant);
/// The constant that a known value is. Precondition: value.is_known().
model::Constant to_constant(const PartialValue& value);

/// Follows the model's values in node order, inner graphs included, and calls `visit` for each node
/// of which the only output is known. The node may be changed; its output's name may not.
void for_each_known(model::Model& model, const model::ShapeTable& shapes,
                    const std::function<void(model::Node&, const PartialValue&)>& visit);

/// Makes `Constant` nodes of all nodes with a known output, and returns how many there were.
int64_t fold_known(model::Model& model, const model::ShapeTable& shapes);

}  // namespace wattwise::optimize
