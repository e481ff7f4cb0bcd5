// SPDX-License-Identifier: Apache-2.0
#include "quantize/unpacked_integers.h"

#include <algorithm>
#include <array>

namespace wattwise::quantize {
namespace {

/// Values of any of the integer types on the way, all of which 16 bits hold.
struct Integers {
  std::vector<int64_t> shape;
  std::vector<int16_t> values;
};
using Maybe = std::optional<Integers>;

int64_t element_count(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return count;
}

Maybe read(const model::Constant& constant) {
  Integers out{constant.shape, {}};
  const auto* bytes = constant.data.data();
  const size_t size = constant.data.size();
  if (constant.type == DataType::kUint8) {
    const auto* first = reinterpret_cast<const uint8_t*>(bytes);
    out.values.assign(first, first + size);
  } else if (constant.type == DataType::kInt8) {
    const auto* first = reinterpret_cast<const int8_t*>(bytes);
    out.values.assign(first, first + size);
  } else {
    return std::nullopt;
  }
  return out;
}

/// `first` op `second`, whose axes are as long as those of `first` or 1.
template <typename Operation>
Maybe combine(Integers first, const Integers& second, const Operation& operation) {
  const size_t rank = first.shape.size();
  if (second.shape.size() > rank) return std::nullopt;
  std::vector<int64_t> strides(rank, 0);
  int64_t stride = 1;
  for (size_t back = 1; back <= second.shape.size(); ++back) {
    const int64_t size = second.shape[second.shape.size() - back];
    if (size != 1 && size != first.shape[rank - back]) return std::nullopt;
    if (size != 1) strides[rank - back] = stride;
    stride *= size;
  }
  const int64_t run = rank == 0 ? 1 : first.shape.back();
  const int64_t step = rank == 0 ? 0 : strides.back();
  for (size_t row = 0; row * static_cast<size_t>(run) < first.values.size(); ++row) {
    auto left = static_cast<int64_t>(row);
    int64_t at = 0;
    for (size_t axis = rank; axis-- > 1; left /= first.shape[axis - 1]) {
      at += left % first.shape[axis - 1] * strides[axis - 1];
    }
    int16_t* const a = first.values.data() + row * static_cast<size_t>(run);
    const int16_t* const b = second.values.data() + at;
    for (int64_t i = 0; i < run; ++i) a[i] = static_cast<int16_t>(operation(a[i], b[i * step]));
  }
  return first;
}

Maybe concatenate(const Integers& first, const Integers& second, int64_t axis) {
  const auto at = static_cast<size_t>(axis);
  if (axis < 0 || at >= first.shape.size() || first.shape != second.shape) return std::nullopt;
  Integers out{first.shape, {}};
  out.shape[at] *= 2;
  const auto run = static_cast<ptrdiff_t>(
      element_count({first.shape.begin() + static_cast<ptrdiff_t>(at), first.shape.end()}));
  const auto size = static_cast<ptrdiff_t>(first.values.size());
  for (ptrdiff_t i = 0; i < size; i += run) {
    for (const Integers* half : {&first, &second}) {
      const auto from = half->values.begin() + i;
      out.values.insert(out.values.end(), from, from + run);
    }
  }
  return out;
}

class Folding {
 public:
  explicit Folding(const ValueOrigins& origins) : origins_(origins) {}

  Maybe fold(const std::string& value) const {
    if (const model::Constant* constant = origins_.constant(value)) return read(*constant);
    const model::Node* node = origins_.producer(value);
    if (!node || !node->is_standard() || node->inputs.empty() || !unpacks(node->op_type)) {
      return std::nullopt;
    }
    Maybe first = fold(node->inputs[0]);
    if (!first) return std::nullopt;
    if (node->op_type == "Cast") return first;
    if (node->inputs.size() != 2) return std::nullopt;
    if (node->op_type == "Reshape") return reshape(std::move(*first), node->inputs[1]);
    const Maybe second = fold(node->inputs[1]);
    return second ? apply(*node, std::move(*first), *second) : std::nullopt;
  }

 private:
  static bool unpacks(const std::string& op) {
    constexpr std::array<std::string_view, 6> kOperators = {"Cast", "Reshape", "Concat",
                                                            "Sub",  "Mul",     "BitShift"};
    return std::find(kOperators.begin(), kOperators.end(), op) != kOperators.end();
  }

  Maybe reshape(Integers values, const std::string& shape) const {
    const model::Constant* constant = origins_.constant(shape);
    if (!constant || constant->type != DataType::kInt64) return std::nullopt;
    const Tensor tensor = constant->tensor();
    const auto sizes = tensor.values<int64_t>();
    values.shape.assign(sizes.begin(), sizes.end());
    const auto count = static_cast<int64_t>(values.values.size());
    return element_count(values.shape) == count ? Maybe(std::move(values)) : std::nullopt;
  }

  static Maybe apply(const model::Node& node, Integers first, const Integers& second) {
    const std::string& op = node.op_type;
    if (op == "Concat") return concatenate(first, second, node.int_or("axis", 0));
    if (op == "Sub") return combine(std::move(first), second, [](int a, int b) { return a - b; });
    if (op == "Mul") return combine(std::move(first), second, [](int a, int b) { return a * b; });
    const auto is_too_far = [](int bits) { return bits < 0 || bits > 7; };
    if (op != "BitShift" || std::any_of(second.values.begin(), second.values.end(), is_too_far)) {
      return std::nullopt;
    }
    const bool left = node.string_or("direction", "") == "LEFT";
    return combine(std::move(first), second,
                   [left](int a, int b) { return left ? (a << b) & 0xff : a >> b; });
  }

  const ValueOrigins& origins_;
};

}  // namespace

std::optional<UnpackedIntegers> unpack_integers(const ValueOrigins& origins,
                                                const std::string& value) {
  const Maybe folded = Folding(origins).fold(value);
  if (!folded) return std::nullopt;
  UnpackedIntegers out{folded->shape, std::vector<int8_t>(folded->values.size())};
  std::transform(folded->values.begin(), folded->values.end(), out.values.begin(),
                 [](int16_t v) { return static_cast<int8_t>(v); });
  return out;
}

}  // namespace wattwise::quantize
