// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

constexpr char kRecognizeGelu[] = "recognize_gelu";

/// The sum 1 + erf(x / sqrt 2) as "a".
ModelBuilder start_gelu(bool divides) {
  ModelBuilder b(13);
  b.input("x", {2, -1});
  b.floats("root", {}, {1.41421356F});
  b.floats("inverse", {1}, {0.70710678F});
  b.floats("one", {}, {1});
  b.floats("half", {}, {0.5F});
  b.node(divides ? "Div" : "Mul", {"x", divides ? "root" : "inverse"}, "s");
  b.node("Erf", {"s"}, "e");
  b.node("Add", {"one", "e"}, "a");
  b.output("y");
  return b;
}

TEST(RecognizeGelu, WritesTheFormOfTheRuntime) {
  for (int form = 0; form < 3; ++form) {
    ModelBuilder b = start_gelu(form == 2);
    if (form == 0) b.node("Mul", {"x", "a"}, "m"), b.node("Mul", {"m", "half"}, "y");
    if (form == 1) b.node("Mul", {"half", "x"}, "m"), b.node("Mul", {"m", "a"}, "y");
    if (form == 2) b.node("Mul", {"a", "half"}, "m"), b.node("Mul", {"m", "x"}, "y");
    const auto result = run_pass(kRecognizeGelu, b.model(), {50});
    EXPECT_EQ(result.outcome.changed, 5) << form;
    EXPECT_EQ(count_nodes(result.model, "Div"), 1) << form;
    EXPECT_EQ(result.model.graph.nodes.size(), 5U) << form;
    EXPECT_EQ(run_pass(kRecognizeGelu, result.model).outcome.changed, 0);
  }
}

TEST(RecognizeGelu, LeavesWhatTheRuntimeKnowsAndOtherFunctions) {
  ModelBuilder last = start_gelu(true);
  last.node("Mul", {"x", "a"}, "m");
  last.node("Mul", {"m", "half"}, "y");
  EXPECT_EQ(run_pass(kRecognizeGelu, last.model()).outcome.changed, 0);
  ModelBuilder first = start_gelu(true);
  first.node("Mul", {"x", "half"}, "m");
  first.node("Mul", {"m", "a"}, "y");
  EXPECT_EQ(run_pass(kRecognizeGelu, first.model()).outcome.changed, 0);
  ModelBuilder shared = start_gelu(false);
  shared.node("Mul", {"x", "a"}, "m");
  shared.node("Mul", {"m", "half"}, "y");
  shared.output("e");
  EXPECT_EQ(run_pass(kRecognizeGelu, shared.model()).outcome.changed, 0);
  ModelBuilder other = start_gelu(false);
  other.node("Mul", {"s", "a"}, "m");
  other.node("Mul", {"m", "half"}, "y");
  EXPECT_EQ(run_pass(kRecognizeGelu, other.model()).outcome.changed, 0);
}

}  // namespace
}  // namespace wattwise::optimize::testing
