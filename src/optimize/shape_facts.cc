// SPDX-License-Identifier: Apache-2.0
#include "optimize/shape_facts.h"

#include <algorithm>
#include <cstring>

namespace wattwise::optimize {

DataType ShapeFacts::type(const std::string& value) const {
  const auto it = table_.find(value);
  return it == table_.end() ? DataType::kUndefined : it->second.type;
}

const std::vector<int64_t>* ShapeFacts::shape(const std::string& value) const {
  const auto it = table_.find(value);
  return it == table_.end() ? nullptr : &it->second.shape;
}

std::optional<int64_t> ShapeFacts::rank(const std::string& value) const {
  const auto* sizes = shape(value);
  return sizes ? std::optional(static_cast<int64_t>(sizes->size())) : std::nullopt;
}

bool is_same_layout(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  // With a size of zero the others could be anything.
  const auto unclear = [](int64_t size) { return size <= 0; };
  return a == b && std::count_if(a.begin(), a.end(), unclear) <= 1;
}

bool broadcasts_into(const std::vector<int64_t>& constant, const std::vector<int64_t>& value) {
  if (constant.size() > value.size()) return false;
  return std::equal(constant.rbegin(), constant.rend(), value.rbegin(),
                    [](int64_t own, int64_t other) { return own == 1 || own == other; });
}

bool has_input(const model::Node& node, size_t slot) {
  return slot < node.inputs.size() && !node.inputs[slot].empty();
}

std::optional<std::vector<int64_t>> integers_at(const GraphEditor& graph, const model::Node& node,
                                                size_t slot) {
  if (!has_input(node, slot)) return std::nullopt;
  const model::Constant* constant = graph.constant(node.inputs[slot]);
  return constant ? integer_values(*constant) : std::nullopt;
}

std::optional<std::vector<int64_t>> integers_of(const GraphEditor& graph, const model::Node& node,
                                                std::string_view attribute, size_t slot) {
  if (node.attribute(attribute)) return node.ints_or_empty(attribute);
  return integers_at(graph, node, slot);
}

int64_t from_start(int64_t axis, int64_t rank) { return axis < 0 ? axis + rank : axis; }

namespace {

template <typename T>
bool all_equal(const model::Constant& constant, double number) {
  const Tensor tensor = constant.tensor();
  const auto values = tensor.values<T>();
  return std::all_of(values.begin(), values.end(),
                     [&](T value) { return static_cast<double>(value) == number; });
}

/// Half floats are compared by their bits: only 0 and 1 are asked for.
bool all_equal_half(const model::Constant& constant, double number) {
  constexpr uint16_t kOne = 0x3C00;
  if (number == 1) return all_equal<uint16_t>(constant, kOne);
  return number == 0 && all_equal<uint16_t>(constant, 0);
}

}  // namespace

bool holds_only(const model::Constant& constant, double number) {
  switch (constant.type) {
    case DataType::kFloat:
      return all_equal<float>(constant, number);
    case DataType::kDouble:
      return all_equal<double>(constant, number);
    case DataType::kFloat16:
      return all_equal_half(constant, number);
    case DataType::kInt64:
      return all_equal<int64_t>(constant, number);
    case DataType::kInt32:
      return all_equal<int32_t>(constant, number);
    case DataType::kUint8:
      return all_equal<uint8_t>(constant, number);
    case DataType::kInt8:
      return all_equal<int8_t>(constant, number);
    default:
      return false;
  }
}

}  // namespace wattwise::optimize
