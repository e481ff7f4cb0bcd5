// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

constexpr char kSpellOutSoftplus[] = "spell_out_softplus";

/// "x", from -50 to 50 or beyond what Exp can take.
ModelBuilder start_softplus(int64_t opset, float largest) {
  ModelBuilder b(opset);
  b.input("x0", {2, -1});
  b.floats("factor", {}, {largest});
  b.node("Mul", {"x0", "factor"}, "x");
  return b;
}

TEST(SpellOutSoftplus, ComputesTheSameFarOutToo) {
  for (const float largest : {1.0F, 20.0F, 1000.0F}) {
    ModelBuilder b = start_softplus(13, largest);
    b.node("Softplus", {"x"}, "y");
    b.output("y");
    const auto result = run_pass(kSpellOutSoftplus, b.model(), {100});
    EXPECT_EQ(count_nodes(result.model, "Softplus"), 0);
    EXPECT_EQ(run_pass(kSpellOutSoftplus, result.model).outcome.changed, 0);
  }
}

TEST(SpellOutSoftplus, ComputesMishWithoutLogarithmAndTanh) {
  for (const int64_t opset : {9, 13, 18}) {
    for (const float largest : {1.0F, 20.0F, 1000.0F}) {
      ModelBuilder b = start_softplus(opset, largest);
      if (opset < 18) {
        b.node("Softplus", {"x"}, "s");
        b.node("Tanh", {"s"}, "t");
        b.node("Mul", {"t", "x"}, "y");
      } else {
        b.node("Mish", {"x"}, "y");
      }
      b.output("y");
      const auto result = run_pass(kSpellOutSoftplus, b.model(), {100});
      EXPECT_EQ(count_nodes(result.model, "Log"), 0);
      EXPECT_EQ(count_nodes(result.model, "Exp"), 1);
      EXPECT_EQ(count_nodes(result.model, "Mish") + count_nodes(result.model, "Tanh"), 0);
    }
  }
}

TEST(SpellOutSoftplus, LeavesHalfPrecisionAlone) {
  ModelBuilder b(13);
  b.input("x", {2, 3});
  b.node("Cast", {"x"}, "h", {{"to", int64_t{10}}});
  b.node("Softplus", {"h"}, "s");
  b.node("Cast", {"s"}, "y", {{"to", int64_t{1}}});
  b.output("y");
  EXPECT_EQ(run_pass(kSpellOutSoftplus, b.model()).outcome.changed, 0);
}

}  // namespace
}  // namespace wattwise::optimize::testing
