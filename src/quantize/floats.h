// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "model/constant_store.h"

namespace wattwise::quantize {

/// A float at any address: files do not align their weights, which are read where they lie.
struct [[gnu::packed]] FileFloat {
  float value;
  operator float() const { return value; }  // NOLINT(google-explicit-constructor)
};
static_assert(sizeof(FileFloat) == sizeof(float) && alignof(FileFloat) == 1);

/// A view of such floats. Whoever made it keeps the bytes alive. With a store, the pages of what
/// was passed go back to it.
class Floats {
 public:
  explicit Floats(std::span<const std::byte> bytes, const model::ConstantStore* store = nullptr)
      : first_(reinterpret_cast<const FileFloat*>(bytes.data())),
        size_(bytes.size() / sizeof(float)),
        store_(size_ >= kMinReleased ? store : nullptr) {}
  Floats(const std::vector<float>& values)  // NOLINT(google-explicit-constructor)
      : Floats(std::as_bytes(std::span(values))) {}

  const FileFloat* data() const { return first_; }
  size_t size() const { return size_; }
  float operator[](size_t i) const { return first_[i]; }
  Floats subspan(size_t offset, size_t count) const {
    return Floats(std::as_bytes(std::span(first_ + offset, count)), store_);
  }
  const FileFloat* begin() const { return first_; }
  const FileFloat* end() const { return first_ + size_; }

  /// For loops that go through the floats in order: what stands before `index` is not needed soon.
  void passed(size_t index) const {
    if (!store_) return;
    if (index < released_) released_ = 0;  // another round
    if (index - released_ < kStep) return;
    store_->release(std::as_bytes(std::span(first_ + released_, index - released_)));
    released_ = index;
  }

 private:
  /// Smaller arrays stay in memory while they are worked on, which reads them several times.
  static constexpr size_t kMinReleased = size_t{32} << 20;
  static constexpr size_t kStep = size_t{4} << 20;

  const FileFloat* first_;
  size_t size_;
  const model::ConstantStore* store_ = nullptr;
  mutable size_t released_ = 0;
};

}  // namespace wattwise::quantize
