// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace wattwise::quantize {

/// A float at any address: files do not align their weights, which are read where they lie.
struct [[gnu::packed]] FileFloat {
  float value;
  operator float() const { return value; }  // NOLINT(google-explicit-constructor)
};
static_assert(sizeof(FileFloat) == sizeof(float) && alignof(FileFloat) == 1);

/// A view of such floats. Whoever made it keeps the bytes alive.
class Floats {
 public:
  explicit Floats(std::span<const std::byte> bytes)
      : first_(reinterpret_cast<const FileFloat*>(bytes.data())),
        size_(bytes.size() / sizeof(float)) {}
  Floats(const std::vector<float>& values)  // NOLINT(google-explicit-constructor)
      : Floats(std::as_bytes(std::span(values))) {}

  const FileFloat* data() const { return first_; }
  size_t size() const { return size_; }
  float operator[](size_t i) const { return first_[i]; }
  Floats subspan(size_t offset, size_t count) const {
    return Floats(std::as_bytes(std::span(first_ + offset, count)));
  }
  const FileFloat* begin() const { return first_; }
  const FileFloat* end() const { return first_ + size_; }

 private:
  const FileFloat* first_;
  size_t size_;
};

}  // namespace wattwise::quantize
