// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wattwise {

/// Element types, numbered as in ONNX's TensorProto.DataType.
enum class DataType : int32_t {
  kUndefined = 0,
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kUint32 = 12,
  kUint64 = 13,
  kComplex64 = 14,
  kComplex128 = 15,
  kBfloat16 = 16,
  kFloat8E4M3FN = 17,
  kFloat8E4M3FNUZ = 18,
  kFloat8E5M2 = 19,
  kFloat8E5M2FNUZ = 20,
  kUint4 = 21,
  kInt4 = 22,
  kFloat4E2M1 = 23,
};

/// The ONNX spelling in lower case ("float", "int64"); "type<N>" for a number not listed above.
std::string data_type_name(DataType type);

/// Bits of one element; empty for strings and unknown types.
std::optional<int> data_type_bits(DataType type);

/// Read-only bytes together with whatever keeps them alive: a mapped file, a buffer, an array of
/// another language. Copying copies the view, never the bytes.
class Bytes {
 public:
  Bytes() = default;
  /// `owner` is shared by every view of the same storage and frees it after the last one.
  Bytes(std::shared_ptr<const void> owner, std::span<const std::byte> view)
      : owner_(std::move(owner)), view_(view) {}

  /// Takes a buffer over.
  template <typename T>
  static Bytes own(std::vector<T> buffer) {
    const auto owner = std::make_shared<const std::vector<T>>(std::move(buffer));
    return {owner, std::as_bytes(std::span(*owner))};
  }
  static Bytes own(std::string buffer);
  /// Copies the bytes behind `values`.
  template <typename T>
  static Bytes copy_of(std::span<const T> values) {
    auto raw = std::as_bytes(values);
    return own(std::vector<std::byte>(raw.begin(), raw.end()));
  }

  /// Looks at `values`, which whoever calls keeps alive.
  template <typename T>
  static Bytes view_of(std::span<const T> values) {
    return {nullptr, std::as_bytes(values)};
  }

  std::span<const std::byte> view() const { return view_; }
  /// Whether they keep their storage alive, as those of view_of() do not.
  bool have_owner() const { return owner_ != nullptr; }
  const std::byte* data() const { return view_.data(); }
  size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }
  std::string_view as_text() const {
    return {reinterpret_cast<const char*>(view_.data()), view_.size()};
  }
  /// A part of the same storage. Precondition: offset + count <= size().
  Bytes slice(size_t offset, size_t count) const { return {owner_, view_.subspan(offset, count)}; }

 private:
  std::shared_ptr<const void> owner_;  // shared: views outlive the object that made them
  std::span<const std::byte> view_;
};

/// A dense, row-major array. `data` holds product(shape) elements of `type`, little endian, or is
/// empty for strings, which live in `strings`.
struct Tensor {
  DataType type = DataType::kUndefined;
  std::vector<int64_t> shape;
  Bytes data;
  std::vector<std::string> strings;

  /// product(shape); 1 for a scalar.
  int64_t element_count() const;

  /// The elements as T. Precondition: sizeof(T) fits `type`.
  template <typename T>
  std::span<const T> values() const& {
    return {reinterpret_cast<const T*>(data.data()), data.size() / sizeof(T)};
  }
  template <typename T>
  std::span<const T> values() const&& = delete;  // the elements would outlive their tensor
};

/// A float tensor that owns a copy of `values`.
Tensor make_float_tensor(std::vector<int64_t> shape, std::span<const float> values);
/// An int64 tensor that owns a copy of `values`.
Tensor make_int64_tensor(std::vector<int64_t> shape, std::span<const int64_t> values);

}  // namespace wattwise
