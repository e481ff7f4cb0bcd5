// SPDX-License-Identifier: Apache-2.0
#include "core/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace wattwise {
namespace {

/// The definition, bit by bit.
double value_of(uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const int fraction = bits & 1023;
  const double size =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return bits & 0x8000 ? -size : size;
}

TEST(Half, EveryFiniteHalfSurvivesTheWayThroughFloat) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    if ((bits >> 10 & 31) == 31) continue;
    const Half half{static_cast<uint16_t>(bits)};
    ASSERT_EQ(to_float(half), value_of(half.bits)) << bits;
    ASSERT_EQ(to_half(to_float(half)).bits, bits);
  }
}

TEST(Half, RoundsToTheNearestAndTiesToEven) {
  for (uint32_t bits = 0; bits < 0x7bff; ++bits) {
    const auto low = static_cast<float>(value_of(static_cast<uint16_t>(bits)));
    const auto high = static_cast<float>(value_of(static_cast<uint16_t>(bits + 1)));
    const float middle = (low + high) / 2;  // exact: halves have 11 bits
    ASSERT_EQ(to_half(middle).bits, bits + (bits & 1)) << bits;
    ASSERT_EQ(to_half(std::nextafter(middle, low)).bits, bits);
    ASSERT_EQ(to_half(std::nextafter(middle, high)).bits, bits + 1);
    ASSERT_EQ(to_half(-middle).bits, 0x8000 + bits + (bits & 1));
  }
}

TEST(Half, KeepsWhatIsNoNumber) {
  EXPECT_TRUE(std::isnan(to_float(to_half(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_EQ(to_half(65519.996F).bits, 0x7bff);
  EXPECT_EQ(to_half(kHalfOverflow).bits, 0x7c00);
  EXPECT_EQ(to_float({0xfc00}), -std::numeric_limits<float>::infinity());
}

}  // namespace
}  // namespace wattwise
