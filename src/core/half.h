// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>

namespace wattwise {

/// IEEE binary16 in its bits.
struct Half {
  uint16_t bits = 0;
};

/// The first float that rounds to infinity.
inline constexpr float kHalfOverflow = 65520;

/// Rounds to the nearest, ties to even; NaN stays NaN, and what is too large becomes infinite.
inline Half to_half(float value) {
  constexpr uint32_t kInfinity = 0x7f800000;
  constexpr uint32_t kSmallestNormal = 0x38800000;  // 2^-14
  const uint32_t all = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(all >> 16 & 0x8000);
  const uint32_t size = all & 0x7fffffff;
  if (size > kInfinity) return {static_cast<uint16_t>(sign | 0x7e00)};
  if (size >= std::bit_cast<uint32_t>(kHalfOverflow)) return {static_cast<uint16_t>(sign | 0x7c00)};
  if (size < kSmallestNormal) {
    // The last bit of a float near 0.5 is worth 2^-24, as that of a subnormal half is.
    const float shifted = std::bit_cast<float>(size) + 0.5F;
    return {static_cast<uint16_t>(
        sign | (std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(0.5F)))};
  }
  // Half of the last bit, less one where the tie must go down; the exponent's bias from 127 to 15.
  const uint32_t rounded = size + 0xfff + (size >> 13 & 1) - (112U << 23);
  return {static_cast<uint16_t>(sign | rounded >> 13)};
}

/// Exact.
inline float to_float(Half half) {
  const uint32_t sign = static_cast<uint32_t>(half.bits & 0x8000) << 16;
  const uint32_t exponent = half.bits >> 10 & 31;
  const uint32_t fraction = half.bits & 1023;
  if (exponent == 0) {
    const float size = static_cast<float>(fraction) * 0x1p-24F;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(size) | sign);
  }
  const uint32_t rebased = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | rebased << 23 | fraction << 13);
}

}  // namespace wattwise
