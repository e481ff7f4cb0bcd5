// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

using Ints = std::vector<int64_t>;

/// x to the power of a constant of this shape.
ModelBuilder power_model(float exponent, const Ints& shape) {
  ModelBuilder b(13);
  b.input("x", {-1, 4});
  b.floats("exponent", shape, {exponent});
  b.node("Pow", {"x", "exponent"}, "y");
  b.output("y");
  return b;
}

TEST(SpellOutSquares, MultipliesInstead) {
  EXPECT_EQ(count_nodes(run_pass("spell_out_squares", power_model(2, {}).model()).model, "Mul"), 1);
  EXPECT_EQ(run_pass("spell_out_squares", power_model(2, {1, 1}).model()).outcome.changed, 1);
}

TEST(SpellOutSquares, KeepsOtherPowersAndShapesThatGrow) {
  EXPECT_EQ(run_pass("spell_out_squares", power_model(3, {}).model()).outcome.changed, 0);
  EXPECT_EQ(run_pass("spell_out_squares", power_model(2, {1, 1, 1}).model()).outcome.changed, 0);
}

TEST(SpellOutSquares, KeepsTheFormOfANormalization) {
  ModelBuilder b(13);
  b.input("x", {-1, 4});
  b.floats("two", {}, {2});
  b.floats("epsilon", {}, {0.01F});
  b.floats("scale", {4}, {1, 2, 3, 4});
  b.node("Pow", {"x", "two"}, "p");
  b.node("ReduceMean", {"p"}, "m", {{"axes", Ints{-1}}});
  b.node("Add", {"m", "epsilon"}, "v");
  b.node("Sqrt", {"v"}, "s");
  b.node("Div", {"x", "s"}, "d");
  b.node("Mul", {"d", "scale"}, "y");
  b.output("y");
  EXPECT_EQ(count_nodes(run_all_passes(b.model()).model, "Pow"), 1);
}

}  // namespace
}  // namespace wattwise::optimize::testing
