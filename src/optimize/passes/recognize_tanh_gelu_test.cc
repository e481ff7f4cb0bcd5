// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

constexpr char kRecognizeTanhGelu[] = "recognize_tanh_gelu";

ModelBuilder start_tanh_gelu() {
  ModelBuilder b(13);
  b.input("x", {2, -1});
  b.floats("root", {}, {0.7978845608F});
  b.floats("factor", {1}, {0.044715F});
  b.floats("both", {}, {0.7978845608F * 0.044715F});
  b.floats("one", {}, {1});
  b.floats("half", {}, {0.5F});
  b.floats("three", {}, {3});
  b.output("y");
  return b;
}

/// The argument of the tangent as "a", in one of four spellings.
void add_argument(ModelBuilder& b, int form) {
  b.node("Mul", {"x", "x"}, "x2");
  if (form == 0) {
    b.node("Mul", {"x2", "x"}, "x3");
    b.node("Mul", {"x3", "factor"}, "c");
    b.node("Add", {"x", "c"}, "s");
    b.node("Mul", {"s", "root"}, "a");
  } else if (form == 1) {
    b.node("Mul", {"x2", "both"}, "c");
    b.node("Add", {"c", "root"}, "s");
    b.node("Mul", {"s", "x"}, "a");
  } else if (form == 2) {
    b.node("Mul", {"x2", "factor"}, "c");
    b.node("Add", {"one", "c"}, "s");
    b.node("Mul", {"x", "root"}, "r");
    b.node("Mul", {"s", "r"}, "a");
  } else {
    b.node("Pow", {"x", "three"}, "x3");
    b.node("Mul", {"x3", "factor"}, "c");
    b.node("Add", {"x", "c"}, "s");
    b.node("Mul", {"s", "root"}, "a");
  }
}

/// What follows the tangent, in one of three orders.
void add_product(ModelBuilder& b, int order) {
  b.node("Tanh", {"a"}, "t");
  b.node("Add", {"t", "one"}, "u");
  if (order == 0) b.node("Mul", {"x", "u"}, "m"), b.node("Mul", {"m", "half"}, "y");
  if (order == 1) b.node("Mul", {"u", "half"}, "m"), b.node("Mul", {"x", "m"}, "y");
  if (order == 2) b.node("Mul", {"x", "half"}, "m"), b.node("Mul", {"m", "u"}, "y");
}

TEST(RecognizeTanhGelu, WritesTheFormOfTheRuntime) {
  for (int form = 0; form < 4; ++form) {
    for (int order = 0; order < 3; ++order) {
      ModelBuilder b = start_tanh_gelu();
      add_argument(b, form);
      add_product(b, order);
      const auto result = run_pass(kRecognizeTanhGelu, b.model(), {50});
      EXPECT_EQ(result.outcome.changed, form == 3 && order == 2 ? 0 : 1) << form << order;
      EXPECT_EQ(run_pass(kRecognizeTanhGelu, result.model).outcome.changed, 0) << form << order;
      const auto all = run_all_passes(b.model(), {50});
      EXPECT_EQ(count_nodes(all.model, "Pow"), 1);
      EXPECT_EQ(all.model.graph.nodes.size(), 8U) << form << order;
    }
  }
}

TEST(RecognizeTanhGelu, LeavesOtherFunctions) {
  ModelBuilder other = start_tanh_gelu();
  other.floats("seven", {}, {0.7F});
  other.node("Mul", {"x", "seven"}, "a");
  add_product(other, 0);
  EXPECT_EQ(run_pass(kRecognizeTanhGelu, other.model()).outcome.changed, 0);
  ModelBuilder shared = start_tanh_gelu();
  add_argument(shared, 0);
  add_product(shared, 0);
  shared.output("a");
  EXPECT_EQ(run_pass(kRecognizeTanhGelu, shared.model()).outcome.changed, 0);
}

}  // namespace
}  // namespace wattwise::optimize::testing
