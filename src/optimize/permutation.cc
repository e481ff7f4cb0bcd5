// SPDX-License-Identifier: Apache-2.0
#include "optimize/permutation.h"

#include <algorithm>
#include <cstring>

namespace wattwise::optimize {
namespace {

std::vector<int64_t> full_shape(const model::Constant& constant, size_t rank) {
  std::vector<int64_t> shape(rank - constant.shape.size(), 1);
  shape.insert(shape.end(), constant.shape.begin(), constant.shape.end());
  return shape;
}

/// Elements to skip for a step along each axis.
std::vector<int64_t> steps_of(const std::vector<int64_t>& shape) {
  std::vector<int64_t> steps(shape.size(), 1);
  for (size_t axis = shape.size(); axis-- > 1;) steps[axis - 1] = steps[axis] * shape[axis];
  return steps;
}

Tensor permute(const model::Constant& constant, const Permutation& permutation) {
  const std::vector<int64_t> shape = full_shape(constant, permutation.size());
  const std::vector<int64_t> steps = steps_of(shape);
  model::Constant result;
  result.type = constant.type;
  for (const int64_t axis : permutation) result.shape.push_back(shape[static_cast<size_t>(axis)]);
  const std::vector<int64_t> result_steps = steps_of(result.shape);
  const int64_t count = constant.element_count();
  const size_t width = count == 0 ? 0 : constant.data.size() / static_cast<size_t>(count);
  std::vector<std::byte> bytes(constant.data.size());
  for (int64_t i = 0; i < count; ++i) {
    int64_t source = 0;
    for (size_t axis = 0; axis < permutation.size(); ++axis) {
      const int64_t place = i / result_steps[axis] % result.shape[axis];
      source += place * steps[static_cast<size_t>(permutation[axis])];
    }
    std::memcpy(bytes.data() + static_cast<size_t>(i) * width,
                constant.data.data() + static_cast<size_t>(source) * width, width);
  }
  result.data = Bytes::own(std::move(bytes));
  return result.tensor();
}

}  // namespace

std::optional<Permutation> permutation_of(const model::Node& transpose) {
  Permutation permutation = transpose.ints_or_empty("perm");
  return permutation.empty() ? std::nullopt : std::optional(std::move(permutation));
}

bool is_identity(const Permutation& permutation) {
  for (size_t axis = 0; axis < permutation.size(); ++axis) {
    if (permutation[axis] != static_cast<int64_t>(axis)) return false;
  }
  return true;
}

Permutation inverse(const Permutation& permutation) {
  Permutation result(permutation.size());
  for (size_t axis = 0; axis < permutation.size(); ++axis) {
    result[static_cast<size_t>(permutation[axis])] = static_cast<int64_t>(axis);
  }
  return result;
}

Permutation compose(const Permutation& first, const Permutation& second) {
  Permutation result;
  for (const int64_t axis : second) result.push_back(first[static_cast<size_t>(axis)]);
  return result;
}

Permutation without_axes(const Permutation& permutation, const std::vector<int64_t>& axes) {
  Permutation kept;
  for (size_t axis = 0; axis < permutation.size(); ++axis) {
    if (!std::binary_search(axes.begin(), axes.end(), static_cast<int64_t>(axis))) {
      kept.push_back(permutation[axis]);
    }
  }
  Permutation sorted = kept;
  std::sort(sorted.begin(), sorted.end());
  for (int64_t& axis : kept) {
    axis = std::lower_bound(sorted.begin(), sorted.end(), axis) - sorted.begin();
  }
  return kept;
}

bool can_permute(const model::Constant& constant, const Permutation& permutation) {
  const int64_t count = constant.element_count();
  return constant.shape.size() <= permutation.size() && constant.strings.empty() && count > 0 &&
         constant.data.size() >= static_cast<size_t>(count) &&
         constant.data.size() % static_cast<size_t>(count) == 0;
}

std::optional<std::string> permute_constant(GraphEditor& graph, const std::string& value,
                                            const Permutation& permutation) {
  const model::Constant* constant = graph.constant(value);
  if (!constant || !can_permute(*constant, permutation)) return std::nullopt;
  if (constant->element_count() == 1) return value;
  return graph.add_constant(value + "_permuted", permute(*constant, permutation));
}

}  // namespace wattwise::optimize
