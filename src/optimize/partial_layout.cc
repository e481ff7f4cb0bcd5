// SPDX-License-Identifier: Apache-2.0
#include "optimize/partial_layout.h"

#include <algorithm>

namespace wattwise::optimize {
namespace {

/// First operator sets with these as inputs instead of attributes.
constexpr int64_t kSliceInputsOpset = 10;
constexpr int64_t kReshapeInputOpset = 5;
constexpr int64_t kAxesInputOpset = 13;

int64_t element_count(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t dim : shape) count *= dim;
  return count;
}

int64_t rank(const PartialValue& value) { return static_cast<int64_t>(value.shape.size()); }

/// The axis counted from the front; absent if there is none such.
std::optional<int64_t> from_front(int64_t axis, int64_t rank) {
  if (axis < 0) axis += rank;
  return axis >= 0 && axis < rank ? std::optional(axis) : std::nullopt;
}

/// A list given by input `i` from operator set `since` on and by an attribute before. Absent if it
/// is not known; empty if it is left out.
std::optional<std::vector<int64_t>> list(const Operands& operands, size_t i, const char* name,
                                         int64_t since) {
  if (operands.opset < since) return operands.node.ints_or_empty(name);
  if (!operands.has(i)) return std::vector<int64_t>();
  return known_elements(operands.value(i));
}

/// The first input's shape, -1 for what is open; null if not even the rank is known.
const std::vector<int64_t>* shape_known(const Operands& operands) {
  if (const PartialValue* value = operands.value(0)) return &value->shape;
  const bool inferred = !operands.shapes.empty() && operands.shapes[0];
  return inferred ? &operands.shapes[0]->shape : nullptr;
}

/// Products of the dimensions before and after the axis.
struct Sides {
  int64_t outer = 1;
  int64_t inner = 1;
};

Sides sides(const std::vector<int64_t>& shape, int64_t axis) {
  Sides sides;
  for (int64_t i = 0; i < static_cast<int64_t>(shape.size()); ++i) {
    if (i < axis) sides.outer *= shape[static_cast<size_t>(i)];
    if (i > axis) sides.inner *= shape[static_cast<size_t>(i)];
  }
  return sides;
}

/// The slices at `positions` of the axis, in this order.
PartialValue take(const PartialValue& given, int64_t axis, const std::vector<int64_t>& positions) {
  const Sides around = sides(given.shape, axis);
  const int64_t length = given.shape[static_cast<size_t>(axis)];
  PartialValue result{given.type, given.shape, {}};
  result.shape[static_cast<size_t>(axis)] = static_cast<int64_t>(positions.size());
  for (int64_t outer = 0; outer < around.outer; ++outer) {
    for (const int64_t position : positions) {
      const auto from = given.elements.begin() + (outer * length + position) * around.inner;
      result.elements.insert(result.elements.end(), from, from + around.inner);
    }
  }
  return result;
}

struct Span {
  int64_t start;
  int64_t end;
  int64_t step;
};

/// The positions that Slice takes along an axis of this length.
std::vector<int64_t> positions(Span span, int64_t length) {
  const auto clamp = [&](int64_t at, int64_t low, int64_t high) {
    return std::clamp(at < 0 ? at + length : at, low, high);
  };
  std::vector<int64_t> taken;
  if (length == 0) return taken;
  // A step longer than the axis takes one position, like one as long as the axis.
  span.step = std::clamp(span.step, -length, length);
  if (span.step > 0) {
    const int64_t end = clamp(span.end, 0, length);
    for (int64_t i = clamp(span.start, 0, length); i < end; i += span.step) taken.push_back(i);
  } else {
    const int64_t end = clamp(span.end, -1, length - 1);
    for (int64_t i = clamp(span.start, 0, length - 1); i > end; i += span.step) taken.push_back(i);
  }
  return taken;
}

}  // namespace

std::optional<std::vector<int64_t>> broadcast_shape(const std::vector<int64_t>& a,
                                                    const std::vector<int64_t>& b) {
  std::vector<int64_t> shape(std::max(a.size(), b.size()), 1);
  const auto lay = [&](const std::vector<int64_t>& from) {
    for (size_t i = 0; i < from.size(); ++i) {
      int64_t& dim = shape[shape.size() - from.size() + i];
      if (from[i] == 1 || from[i] == dim) continue;
      if (dim != 1) return false;
      dim = from[i];
    }
    return true;
  };
  if (!lay(a) || !lay(b) || element_count(shape) > kMaxPartialElements) return std::nullopt;
  return shape;
}

std::vector<size_t> broadcast_positions(const std::vector<int64_t>& from,
                                        const std::vector<int64_t>& to) {
  std::vector<size_t> positions;
  const int64_t count = element_count(to);
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i;
    int64_t stride = 1;
    int64_t position = 0;
    for (size_t back = 1; back <= from.size(); ++back) {
      const int64_t index = rest % to[to.size() - back];
      rest /= to[to.size() - back];
      const int64_t dim = from[from.size() - back];
      if (dim != 1) position += index * stride;
      stride *= dim;
    }
    positions.push_back(static_cast<size_t>(position));
  }
  return positions;
}

MaybeValue same_values(const Operands& operands) {
  const PartialValue* given = operands.value(0);
  return given ? MaybeValue(*given) : std::nullopt;
}

MaybeValue shape_of(const Operands& operands) {
  const std::vector<int64_t>* known = shape_known(operands);
  if (!known) return std::nullopt;
  const std::vector<int64_t>& shape = *known;
  const auto length = static_cast<int64_t>(shape.size());
  const auto bound = [&](const char* name, int64_t fallback) {
    const int64_t at = operands.node.int_or(name, fallback);
    return std::clamp(at < 0 ? at + length : at, int64_t{0}, length);
  };
  const int64_t start = bound("start", 0);
  const int64_t end = std::max(start, bound("end", length));
  PartialValue result{DataType::kInt64, {end - start}, {}};
  for (int64_t i = start; i < end; ++i) {
    const int64_t dim = shape[static_cast<size_t>(i)];
    result.elements.push_back(dim < 0 ? Element() : Element(dim));
  }
  return result;
}

MaybeValue size_of(const Operands& operands) {
  const std::vector<int64_t>* shape = shape_known(operands);
  if (!shape) return std::nullopt;
  Element size = 1;
  for (const int64_t dim : *shape) {
    int64_t element_count = 0;
    const bool known = size && dim >= 0 && !__builtin_mul_overflow(*size, dim, &element_count);
    size = known ? Element(element_count) : std::nullopt;
  }
  return PartialValue{DataType::kInt64, {}, {size}};
}

MaybeValue gather_values(const Operands& operands) {
  const PartialValue* given = operands.value(0);
  const PartialValue* indices = operands.value(1);
  if (!given || !indices) return std::nullopt;
  const auto axis = from_front(operands.node.int_or("axis", 0), rank(*given));
  auto taken = known_elements(indices);
  if (!axis || !taken) return std::nullopt;
  const int64_t length = given->shape[static_cast<size_t>(*axis)];
  for (int64_t& index : *taken) {
    if (index < 0) index += length;
    if (index < 0 || index >= length) return std::nullopt;
  }
  PartialValue result = take(*given, *axis, *taken);
  const auto at = result.shape.erase(result.shape.begin() + *axis);
  result.shape.insert(at, indices->shape.begin(), indices->shape.end());
  return result;
}

MaybeValue slice_values(const Operands& operands) {
  const PartialValue* given = operands.value(0);
  const auto starts = list(operands, 1, "starts", kSliceInputsOpset);
  const auto ends = list(operands, 2, "ends", kSliceInputsOpset);
  auto axes = list(operands, 3, "axes", kSliceInputsOpset);
  auto steps = list(operands, 4, "steps", kSliceInputsOpset);
  if (!given || !starts || !ends || !axes || !steps) return std::nullopt;
  if (axes->empty()) {
    for (size_t i = 0; i < starts->size(); ++i) axes->push_back(static_cast<int64_t>(i));
  }
  if (steps->empty()) steps->assign(starts->size(), 1);
  if (ends->size() != starts->size() || axes->size() != starts->size() ||
      steps->size() != starts->size()) {
    return std::nullopt;
  }
  PartialValue result = *given;
  for (size_t i = 0; i < starts->size(); ++i) {
    const auto axis = from_front((*axes)[i], rank(result));
    if (!axis || (*steps)[i] == 0) return std::nullopt;
    const int64_t length = result.shape[static_cast<size_t>(*axis)];
    result = take(result, *axis, positions({(*starts)[i], (*ends)[i], (*steps)[i]}, length));
  }
  return result;
}

MaybeValue concat_values(const Operands& operands) {
  const PartialValue* first = operands.value(0);
  const model::Attribute* attribute = operands.node.attribute("axis");
  if (!first || !attribute) return std::nullopt;
  const auto axis = from_front(operands.node.int_or("axis", 0), rank(*first));
  if (!axis) return std::nullopt;
  const int64_t outer = sides(first->shape, *axis).outer;
  PartialValue result{first->type, first->shape, {}};
  result.shape[static_cast<size_t>(*axis)] = 0;
  std::vector<std::vector<Element>> rows(static_cast<size_t>(outer));
  for (size_t i = 0; i < operands.node.inputs.size(); ++i) {
    const PartialValue* part = operands.value(i);
    if (!part || part->type != first->type || rank(*part) != rank(*first)) return std::nullopt;
    if (sides(part->shape, *axis).outer != outer) return std::nullopt;
    result.shape[static_cast<size_t>(*axis)] += part->shape[static_cast<size_t>(*axis)];
    const auto length = static_cast<int64_t>(part->elements.size()) / std::max<int64_t>(outer, 1);
    for (int64_t row = 0; row < outer; ++row) {
      const auto from = part->elements.begin() + row * length;
      auto& to = rows[static_cast<size_t>(row)];
      to.insert(to.end(), from, from + length);
    }
  }
  for (const auto& row : rows) {
    result.elements.insert(result.elements.end(), row.begin(), row.end());
  }
  if (element_count(result.shape) != static_cast<int64_t>(result.elements.size()))
    return std::nullopt;
  return result;
}

MaybeValue squeeze_values(const Operands& operands) {
  const PartialValue* given = operands.value(0);
  const auto axes = list(operands, 1, "axes", kAxesInputOpset);
  if (!given || !axes) return std::nullopt;
  std::vector<bool> dropped(given->shape.size(), false);
  for (const int64_t axis : *axes) {
    const auto at = from_front(axis, rank(*given));
    if (!at || given->shape[static_cast<size_t>(*at)] != 1) return std::nullopt;
    dropped[static_cast<size_t>(*at)] = true;
  }
  PartialValue result{given->type, {}, given->elements};
  for (size_t i = 0; i < given->shape.size(); ++i) {
    const bool drop = axes->empty() ? given->shape[i] == 1 : dropped[i];
    if (!drop) result.shape.push_back(given->shape[i]);
  }
  return result;
}

MaybeValue unsqueeze_values(const Operands& operands) {
  const PartialValue* given = operands.value(0);
  auto axes = list(operands, 1, "axes", kAxesInputOpset);
  if (!given || !axes) return std::nullopt;
  const int64_t rank_after = rank(*given) + static_cast<int64_t>(axes->size());
  for (int64_t& axis : *axes) {
    const auto at = from_front(axis, rank_after);
    if (!at) return std::nullopt;
    axis = *at;
  }
  std::sort(axes->begin(), axes->end());
  PartialValue result = *given;
  for (const int64_t axis : *axes) result.shape.insert(result.shape.begin() + axis, 1);
  return result;
}

MaybeValue reshape_values(const Operands& operands) {
  const PartialValue* given = operands.value(0);
  auto shape = list(operands, 1, "shape", kReshapeInputOpset);
  if (!given || !shape) return std::nullopt;
  const bool keeps_zero = operands.node.int_or("allowzero", 0) != 0;
  int64_t known = 1;
  int64_t* open = nullptr;
  for (size_t i = 0; i < shape->size(); ++i) {
    int64_t& dim = (*shape)[i];
    if (dim == 0 && !keeps_zero) {
      if (i >= given->shape.size()) return std::nullopt;
      dim = given->shape[i];
    }
    if (dim < 0) {
      if (open) return std::nullopt;
      open = &dim;
    } else if (__builtin_mul_overflow(known, dim, &known)) {
      return std::nullopt;
    }
  }
  const auto count = static_cast<int64_t>(given->elements.size());
  if (open) *open = known == 0 ? 0 : count / known;
  if (open ? known * *open != count : known != count) return std::nullopt;
  return PartialValue{given->type, std::move(*shape), given->elements};
}

MaybeValue fill_shape(const Operands& operands) {
  const auto shape = known_elements(operands.value(0));
  const model::Attribute* attribute = operands.node.attribute("value");
  const auto* held =
      attribute ? std::get_if<std::shared_ptr<model::Constant>>(&attribute->value) : nullptr;
  if (!shape || !held) return std::nullopt;
  const auto value = partial_value(**held);
  if (!value || value->elements.size() != 1) return std::nullopt;
  int64_t count = 1;
  for (const int64_t dim : *shape) {
    if (dim < 0 || __builtin_mul_overflow(count, dim, &count)) return std::nullopt;
  }
  if (count > kMaxPartialElements) return std::nullopt;
  return PartialValue{value->type, *shape,
                      std::vector<Element>(static_cast<size_t>(count), value->elements[0])};
}

}  // namespace wattwise::optimize
