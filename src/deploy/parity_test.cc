// SPDX-License-Identifier: Apache-2.0
#include "deploy/parity.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace wattwise::deploy {
namespace {

/// So many samples that are 1e-6 off, but for the first.
std::vector<double> errors(size_t count, double first) {
  std::vector<double> out(count, 1e-6);
  out.front() = first;
  return out;
}

TEST(Parity, ErrorsWithinTheBoundAreEqual) {
  EXPECT_TRUE(is_equal_enough({}, 1e-6, 0));
  EXPECT_TRUE(is_equal_enough(errors(3, 1e-6), 1e-6, 0));
  EXPECT_FALSE(is_equal_enough(errors(3, 2e-6), 1e-6, 1));
}

TEST(Parity, OneOfManyMayBeAmplifiedAsTheOriginalIs) {
  EXPECT_TRUE(is_equal_enough(errors(10, 4e-4), 1e-5, 4e-5));
  EXPECT_FALSE(is_equal_enough(errors(9, 4e-4), 1e-5, 4e-5)) << "one of few";
  EXPECT_FALSE(is_equal_enough(errors(10, 4e-4), 1e-5, 1e-5)) << "the original is steadier";
  std::vector<double> two = errors(10, 4e-4);
  two.back() = 4e-4;
  EXPECT_FALSE(is_equal_enough(two, 1e-5, 4e-5));
  two.push_back(1e-6);
  EXPECT_TRUE(is_equal_enough(two, 1e-5, 4e-5)) << "a tenth of eleven, rounded up";
}

TEST(Parity, WhatIsNoNumberIsNotEqual) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(is_equal_enough(errors(2, nan), 1, 1));
}

TEST(Parity, TheWorstErrorsComeFirst) {
  EXPECT_EQ(worst_first(std::vector<double>{0.1, 3, 0.1, 7}), (std::vector<size_t>{3, 1, 0, 2}));
  EXPECT_TRUE(worst_first({}).empty());
}

}  // namespace
}  // namespace wattwise::deploy
