// SPDX-License-Identifier: Apache-2.0
#include "wattwise/tensor.h"

#include <array>

namespace wattwise {
namespace {

struct TypeRow {
  DataType type;
  std::string_view name;
  int bits;  ///< 0: no fixed size
};

constexpr std::array<TypeRow, 24> kTypes = {{
    {DataType::kUndefined, "undefined", 0},
    {DataType::kFloat, "float", 32},
    {DataType::kUint8, "uint8", 8},
    {DataType::kInt8, "int8", 8},
    {DataType::kUint16, "uint16", 16},
    {DataType::kInt16, "int16", 16},
    {DataType::kInt32, "int32", 32},
    {DataType::kInt64, "int64", 64},
    {DataType::kString, "string", 0},
    {DataType::kBool, "bool", 8},
    {DataType::kFloat16, "float16", 16},
    {DataType::kDouble, "double", 64},
    {DataType::kUint32, "uint32", 32},
    {DataType::kUint64, "uint64", 64},
    {DataType::kComplex64, "complex64", 64},
    {DataType::kComplex128, "complex128", 128},
    {DataType::kBfloat16, "bfloat16", 16},
    {DataType::kFloat8E4M3FN, "float8e4m3fn", 8},
    {DataType::kFloat8E4M3FNUZ, "float8e4m3fnuz", 8},
    {DataType::kFloat8E5M2, "float8e5m2", 8},
    {DataType::kFloat8E5M2FNUZ, "float8e5m2fnuz", 8},
    {DataType::kUint4, "uint4", 4},
    {DataType::kInt4, "int4", 4},
    {DataType::kFloat4E2M1, "float4e2m1", 4},
}};

const TypeRow* find_type(DataType type) {
  const auto index = static_cast<size_t>(type);
  return index < kTypes.size() ? &kTypes[index] : nullptr;
}

template <typename T>
Tensor make_tensor(DataType type, std::vector<int64_t> shape, std::span<const T> values) {
  return {type, std::move(shape), Bytes::copy_of(values), {}};
}

}  // namespace

std::string data_type_name(DataType type) {
  const TypeRow* row = find_type(type);
  return row ? std::string(row->name) : "type" + std::to_string(static_cast<int32_t>(type));
}

std::optional<int> data_type_bits(DataType type) {
  const TypeRow* row = find_type(type);
  if (!row || row->bits == 0) return std::nullopt;
  return row->bits;
}

Bytes Bytes::own(std::string buffer) {
  auto owner = std::make_shared<const std::string>(std::move(buffer));
  const auto view = std::as_bytes(std::span<const char>(*owner));
  return {std::move(owner), view};
}

int64_t Tensor::element_count() const {
  int64_t count = 1;
  for (int64_t dim : shape) count *= dim;
  return count;
}

Tensor make_float_tensor(std::vector<int64_t> shape, std::span<const float> values) {
  return make_tensor(DataType::kFloat, std::move(shape), values);
}

Tensor make_int64_tensor(std::vector<int64_t> shape, std::span<const int64_t> values) {
  return make_tensor(DataType::kInt64, std::move(shape), values);
}

}  // namespace wattwise
