// SPDX-License-Identifier: Apache-2.0
// How each operator of shape arithmetic computes with elements of which some are unknown. A result
// that could overflow or divide by zero is unknown: the runtime decides what happens then.
#include <algorithm>
#include <array>
#include <limits>

#include "optimize/partial_layout.h"
#include "optimize/partial_values.h"

namespace wattwise::optimize {
namespace {

using Binary = Element (*)(const Element& a, const Element& b);

/// The element as the type holds it; unknown if it does not fit.
Element fit(DataType type, Element element) {
  if (!element || type == DataType::kInt64) return element;
  if (type == DataType::kBool) return *element != 0 ? 1 : 0;
  const bool fits = *element >= std::numeric_limits<int32_t>::min() &&
                    *element <= std::numeric_limits<int32_t>::max();
  return fits ? element : std::nullopt;
}

Element add(const Element& a, const Element& b) {
  int64_t sum = 0;
  return a && b && !__builtin_add_overflow(*a, *b, &sum) ? Element(sum) : std::nullopt;
}

Element subtract(const Element& a, const Element& b) {
  int64_t difference = 0;
  return a && b && !__builtin_sub_overflow(*a, *b, &difference) ? Element(difference)
                                                                : std::nullopt;
}

Element multiply(const Element& a, const Element& b) {
  if ((a && *a == 0) || (b && *b == 0)) return 0;
  int64_t product = 0;
  return a && b && !__builtin_mul_overflow(*a, *b, &product) ? Element(product) : std::nullopt;
}

bool divides(const Element& a, const Element& b) {
  return a && b && *b != 0 && !(*a == std::numeric_limits<int64_t>::min() && *b == -1);
}

Element divide(const Element& a, const Element& b) {
  return divides(a, b) ? Element(*a / *b) : std::nullopt;
}

/// With the divisor's sign.
Element modulo(const Element& a, const Element& b) {
  if (!divides(a, b)) return std::nullopt;
  const int64_t rest = *a % *b;
  return rest != 0 && (rest < 0) != (*b < 0) ? rest + *b : rest;
}

/// With the dividend's sign, like C.
Element remainder(const Element& a, const Element& b) {
  return divides(a, b) ? Element(*a % *b) : std::nullopt;
}

Element smaller(const Element& a, const Element& b) {
  return a && b ? Element(std::min(*a, *b)) : std::nullopt;
}
Element larger(const Element& a, const Element& b) {
  return a && b ? Element(std::max(*a, *b)) : std::nullopt;
}
Element is_equal(const Element& a, const Element& b) {
  return a && b ? Element(*a == *b) : std::nullopt;
}
Element is_less(const Element& a, const Element& b) {
  return a && b ? Element(*a < *b) : std::nullopt;
}
Element is_less_or_equal(const Element& a, const Element& b) {
  return a && b ? Element(*a <= *b) : std::nullopt;
}
Element is_greater(const Element& a, const Element& b) { return is_less(b, a); }
Element is_greater_or_equal(const Element& a, const Element& b) { return is_less_or_equal(b, a); }
Element both(const Element& a, const Element& b) {
  if ((a && *a == 0) || (b && *b == 0)) return 0;
  return a && b ? Element(1) : std::nullopt;
}
Element either(const Element& a, const Element& b) {
  if ((a && *a != 0) || (b && *b != 0)) return 1;
  return a && b ? Element(0) : std::nullopt;
}

/// Element by element with broadcasting; the result is of `type`.
MaybeValue combine(const PartialValue& a, const PartialValue& b, DataType type, Binary function) {
  const auto shape = broadcast_shape(a.shape, b.shape);
  if (!shape) return std::nullopt;
  const auto from_a = broadcast_positions(a.shape, *shape);
  const auto from_b = broadcast_positions(b.shape, *shape);
  PartialValue result{type, *shape, {}};
  for (size_t i = 0; i < from_a.size(); ++i) {
    result.elements.push_back(fit(type, function(a.elements[from_a[i]], b.elements[from_b[i]])));
  }
  return result;
}

/// Before operator set 7 broadcasting was asked for by attributes and aligned otherwise.
bool broadcasts_otherwise(const Operands& operands) {
  return operands.node.attribute("axis") || operands.node.attribute("broadcast");
}

template <Binary function>
MaybeValue arithmetic(const Operands& operands) {
  const PartialValue* result = operands.value(0);
  if (!result || broadcasts_otherwise(operands)) return std::nullopt;
  PartialValue sum = *result;
  for (size_t i = 1; i < operands.node.inputs.size(); ++i) {
    const PartialValue* next = operands.value(i);
    if (!next || next->type != sum.type) return std::nullopt;
    auto combined = combine(sum, *next, sum.type, function);
    if (!combined) return std::nullopt;
    sum = std::move(*combined);
  }
  return sum;
}

template <Binary function>
MaybeValue comparison(const Operands& operands) {
  const PartialValue* a = operands.value(0);
  const PartialValue* b = operands.value(1);
  if (!a || !b || a->type != b->type || broadcasts_otherwise(operands)) return std::nullopt;
  return combine(*a, *b, DataType::kBool, function);
}

MaybeValue mod(const Operands& operands) {
  return operands.node.int_or("fmod", 0) == 0 ? arithmetic<modulo>(operands)
                                              : arithmetic<remainder>(operands);
}

MaybeValue invert(const Operands& operands) {
  const PartialValue* given = operands.value(0);
  if (!given) return std::nullopt;
  PartialValue result = *given;
  for (Element& element : result.elements) {
    if (element) element = *element == 0 ? 1 : 0;
  }
  return result;
}

MaybeValue cast(const Operands& operands) {
  const PartialValue* given = operands.value(0);
  // Before operator set 6 the type was spelled out.
  const auto type = static_cast<DataType>(operands.node.int_or("to", 0));
  const bool followed =
      type == DataType::kInt64 || type == DataType::kInt32 || type == DataType::kBool;
  if (!given || !followed) return std::nullopt;
  PartialValue result{type, given->shape, {}};
  for (const Element& element : given->elements) result.elements.push_back(fit(type, element));
  return result;
}

MaybeValue where(const Operands& operands) {
  const PartialValue* condition = operands.value(0);
  const PartialValue* a = operands.value(1);
  const PartialValue* b = operands.value(2);
  if (!condition || !a || !b || a->type != b->type) return std::nullopt;
  const auto inner = broadcast_shape(a->shape, b->shape);
  const auto shape = inner ? broadcast_shape(condition->shape, *inner) : std::nullopt;
  if (!shape) return std::nullopt;
  const auto asked = broadcast_positions(condition->shape, *shape);
  const auto from_a = broadcast_positions(a->shape, *shape);
  const auto from_b = broadcast_positions(b->shape, *shape);
  PartialValue result{a->type, *shape, {}};
  for (size_t i = 0; i < asked.size(); ++i) {
    const Element& choice = condition->elements[asked[i]];
    const Element& yes = a->elements[from_a[i]];
    const Element& no = b->elements[from_b[i]];
    if (choice) {
      result.elements.push_back(*choice != 0 ? yes : no);
    } else {
      result.elements.push_back(yes && no && *yes == *no ? yes : std::nullopt);
    }
  }
  return result;
}

MaybeValue range(const Operands& operands) {
  const auto start = known_elements(operands.value(0));
  const auto limit = known_elements(operands.value(1));
  const auto step = known_elements(operands.value(2));
  if (!start || !limit || !step) return std::nullopt;
  if (start->size() != 1 || limit->size() != 1 || step->size() != 1) return std::nullopt;
  const int64_t delta = step->front();
  const Element distance = subtract(limit->front(), start->front());
  const Element reach = distance ? add(*distance, delta > 0 ? delta - 1 : delta + 1) : Element();
  if (delta == 0 || !divides(reach, delta)) return std::nullopt;
  const int64_t steps = *reach / delta;
  if (steps > kMaxPartialElements) return std::nullopt;
  const int64_t count = std::max<int64_t>(steps, 0);
  PartialValue result{operands.value(0)->type, {count}, {}};
  for (int64_t i = 0; i < count; ++i) {
    result.elements.emplace_back(start->front() + i * step->front());
  }
  return result;
}

/// Of a whole list; other axes than the only one do not come up in shapes.
template <Binary function>
MaybeValue reduce(const Operands& operands) {
  const PartialValue* given = operands.value(0);
  if (!given || given->shape.size() != 1 || given->elements.empty()) return std::nullopt;
  if (operands.node.int_or("noop_with_empty_axes", 0) != 0) return std::nullopt;
  Element sum = given->elements[0];
  for (size_t i = 1; i < given->elements.size(); ++i) {
    sum = fit(given->type, function(sum, given->elements[i]));
  }
  const bool keeps = operands.node.int_or("keepdims", 1) != 0;
  return PartialValue{given->type, keeps ? std::vector<int64_t>{1} : std::vector<int64_t>{}, {sum}};
}

constexpr std::array kRules = {
    PartialRule{"Add", arithmetic<add>},
    PartialRule{"And", comparison<both>},
    PartialRule{"Cast", cast},
    PartialRule{"Concat", concat_values},
    PartialRule{"ConstantOfShape", fill_shape},
    PartialRule{"Div", arithmetic<divide>},
    PartialRule{"Equal", comparison<is_equal>},
    PartialRule{"Gather", gather_values},
    PartialRule{"Greater", comparison<is_greater>},
    PartialRule{"GreaterOrEqual", comparison<is_greater_or_equal>},
    PartialRule{"Identity", same_values},
    PartialRule{"Less", comparison<is_less>},
    PartialRule{"LessOrEqual", comparison<is_less_or_equal>},
    PartialRule{"Max", arithmetic<larger>},
    PartialRule{"Min", arithmetic<smaller>},
    PartialRule{"Mod", mod},
    PartialRule{"Mul", arithmetic<multiply>},
    PartialRule{"Not", invert},
    PartialRule{"Or", comparison<either>},
    PartialRule{"Range", range},
    PartialRule{"ReduceMax", reduce<larger>},
    PartialRule{"ReduceMin", reduce<smaller>},
    PartialRule{"ReduceProd", reduce<multiply>},
    PartialRule{"ReduceSum", reduce<add>},
    PartialRule{"Reshape", reshape_values},
    PartialRule{"Shape", shape_of},
    PartialRule{"Size", size_of},
    PartialRule{"Slice", slice_values},
    PartialRule{"Squeeze", squeeze_values},
    PartialRule{"Sub", arithmetic<subtract>},
    PartialRule{"Unsqueeze", unsqueeze_values},
    PartialRule{"Where", where},
};

}  // namespace

std::span<const PartialRule> partial_rules() { return kRules; }

}  // namespace wattwise::optimize
