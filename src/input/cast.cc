// SPDX-License-Identifier: Apache-2.0
#include "input/cast.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "core/half.h"

namespace wattwise::input {
namespace {

/// Whether `value` survives as To.
template <typename To, typename From>
bool fits(From value) {
  if constexpr (std::is_same_v<To, bool>) {
    return value == From{0} || value == From{1};
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    const auto low = static_cast<double>(std::numeric_limits<To>::min());
    const double beyond = std::ldexp(1.0, std::numeric_limits<To>::digits);
    return value >= low && value < beyond && std::trunc(value) == value;
  } else if constexpr (std::is_floating_point_v<From>) {
    return !std::isfinite(value) || std::isfinite(static_cast<To>(value));
  } else if constexpr (std::is_floating_point_v<To>) {
    const auto rounded = static_cast<To>(value);
    // The largest integers round up to a power of two that does not convert back.
    return rounded < std::ldexp(To{1}, std::numeric_limits<From>::digits) &&
           static_cast<From>(rounded) == value;
  } else {
    return std::in_range<To>(value);
  }
}

template <>
bool fits<Half, float>(float value) {
  return !std::isfinite(value) || std::fabs(value) < kHalfOverflow;
}

template <typename To, typename From>
To convert(From value) {
  if constexpr (std::is_same_v<To, Half>) {
    return to_half(static_cast<float>(value));
  } else {
    return static_cast<To>(value);
  }
}

/// Bool counts as a byte here, so that every byte but 0 is true.
template <typename T>
auto widened(T value) {
  if constexpr (std::is_same_v<T, Half>) {
    return to_float(value);
  } else if constexpr (std::is_same_v<T, bool>) {
    return static_cast<uint8_t>(value);
  } else {
    return value;
  }
}

/// Whether `value` survives as To; halves are judged by their float value.
template <typename To, typename From>
bool survives(From value) {
  if constexpr (std::is_same_v<To, Half> && std::is_integral_v<From>) {
    const auto as_float = static_cast<float>(value);
    return std::fabs(as_float) < kHalfOverflow && fits<float>(value) &&
           to_float(to_half(as_float)) == as_float;
  } else if constexpr (std::is_same_v<To, Half>) {
    return fits<Half, float>(static_cast<float>(value));
  } else {
    return fits<To>(value);
  }
}

template <typename To, typename From>
Result<Tensor> cast_elements(const Tensor& tensor, DataType type) {
  std::vector<std::byte> buffer(tensor.data.size() / sizeof(From) * sizeof(To));
  const std::span<To> to(reinterpret_cast<To*>(buffer.data()), buffer.size() / sizeof(To));
  size_t i = 0;
  for (const From element : tensor.values<From>()) {
    const auto value = widened(element);
    if (!survives<To>(value)) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("element {} is {}, which {} cannot hold: pass an array of {}", i,
                               value, data_type_name(type), data_type_name(type)));
    }
    to[i++] = convert<To>(value);
  }
  return Tensor{type, tensor.shape, Bytes::own(std::move(buffer)), {}};
}

/// Calls `visit` with a null pointer of the C++ type behind `type`.
template <typename Visitor>
std::optional<Result<Tensor>> with_type(DataType type, Visitor visit) {
  switch (type) {
    case DataType::kBool:
      return visit(static_cast<bool*>(nullptr));
    case DataType::kUint8:
      return visit(static_cast<uint8_t*>(nullptr));
    case DataType::kInt8:
      return visit(static_cast<int8_t*>(nullptr));
    case DataType::kUint16:
      return visit(static_cast<uint16_t*>(nullptr));
    case DataType::kInt16:
      return visit(static_cast<int16_t*>(nullptr));
    case DataType::kUint32:
      return visit(static_cast<uint32_t*>(nullptr));
    case DataType::kInt32:
      return visit(static_cast<int32_t*>(nullptr));
    case DataType::kUint64:
      return visit(static_cast<uint64_t*>(nullptr));
    case DataType::kInt64:
      return visit(static_cast<int64_t*>(nullptr));
    case DataType::kFloat16:
      return visit(static_cast<Half*>(nullptr));
    case DataType::kFloat:
      return visit(static_cast<float*>(nullptr));
    case DataType::kDouble:
      return visit(static_cast<double*>(nullptr));
    default:
      return std::nullopt;
  }
}

}  // namespace

Result<Tensor> cast_tensor(const Tensor& tensor, DataType type) {
  if (tensor.type == type) return tensor;
  auto result = with_type(tensor.type, [&]<typename From>(From*) {
    return with_type(type, [&]<typename To>(To*) -> std::optional<Result<Tensor>> {
      return cast_elements<To, From>(tensor, type);
    });
  });
  if (result) return std::move(*result);
  return Error(ErrorCode::kUnsupported, fmt::format("cannot turn {} into {}: pass an array of {}",
                                                    data_type_name(tensor.type),
                                                    data_type_name(type), data_type_name(type)));
}

}  // namespace wattwise::input
