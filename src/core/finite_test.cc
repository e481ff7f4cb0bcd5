// SPDX-License-Identifier: Apache-2.0
#include "core/finite.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace wattwise {
namespace {

TEST(AllFinite, SeesASpecialValueWhereverItStands) {
  using Limits = std::numeric_limits<float>;
  const std::vector<float> special = {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN(),
                                      -Limits::signaling_NaN()};
  for (const size_t size : {1U, 7U, 1024U, 2500U}) {
    std::vector<float> values(size, 1);
    EXPECT_TRUE(all_finite(values));
    for (const size_t at : {size_t{0}, size / 2, size - 1}) {
      for (const float x : special) {
        values[at] = x;
        EXPECT_FALSE(all_finite(values)) << size << " " << at << " " << x;
        values[at] = 1;
      }
    }
  }
}

TEST(AllFinite, LargeAndTinyValuesAreFinite) {
  using Limits = std::numeric_limits<float>;
  EXPECT_TRUE(all_finite(std::vector<float>{Limits::max(), Limits::lowest(), Limits::min(),
                                            Limits::denorm_min(), 0.0F, -0.0F}));
  EXPECT_TRUE(all_finite(std::vector<float>()));
}

}  // namespace
}  // namespace wattwise
