// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace wattwise {

/// Bit 31 is set for infinity and NaN, whose exponents have all bits set, and for them only.
inline uint32_t special_bit(float x) {
  return (std::bit_cast<uint32_t>(x) & 0x7fffffffU) + 0x00800000U;
}

/// Whether no value is infinite or NaN. `Values` is an array of floats, aligned or not.
template <typename Values>
bool all_finite(const Values* values, size_t count) {
  constexpr size_t kStep = 1024;  // loops of a fixed length are what compilers vectorize
  uint32_t bits = 0;
  size_t at = 0;
  for (; at + kStep <= count; at += kStep) {
    const Values* const step = values + at;
    for (size_t i = 0; i < kStep; ++i) bits |= special_bit(step[i]);
  }
  for (; at < count; ++at) bits |= special_bit(values[at]);
  return bits >> 31 == 0;
}

inline bool all_finite(std::span<const float> values) {
  return all_finite(values.data(), values.size());
}

}  // namespace wattwise
