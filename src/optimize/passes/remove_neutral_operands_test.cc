// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

using Ints = std::vector<int64_t>;

TEST(RemoveNeutralOperands, TakesOutOnesAndZeros) {
  ModelBuilder b(13);
  b.input("x", {-1, 3, 4});
  b.floats("one", {}, {1});
  b.floats("zero", {1}, {0});
  b.floats("ones", {3, 1}, {1, 1, 1});
  b.node("Mul", {"one", "x"}, "a");
  b.node("Div", {"a", "ones"}, "b");
  b.node("Sub", {"b", "zero"}, "c");
  b.node("Add", {"zero", "c"}, "d");
  b.node("Pow", {"d", "one"}, "e");
  b.node("Relu", {"e"}, "y");
  b.output("y");
  auto result = run_pass("remove_neutral_operands", b.model());
  EXPECT_EQ(result.model.graph.nodes.size(), 1U);
  as_constant_nodes(b.model().graph);
  result = run_pass("remove_neutral_operands", b.model());
  EXPECT_EQ(result.outcome.changed, 5);
}

TEST(RemoveNeutralOperands, KeepsWhatIsNotNeutral) {
  ModelBuilder b(13);
  b.input("x", {3});
  b.floats("one", {}, {1});
  b.floats("zero", {}, {0});
  b.floats("nearly", {3}, {1, 1, 2});
  b.node("Add", {"x", "one"}, "a");
  b.node("Sub", {"zero", "a"}, "b");
  b.node("Div", {"one", "b"}, "c");
  b.node("Mul", {"c", "nearly"}, "y");
  b.output("y");
  EXPECT_EQ(run_pass("remove_neutral_operands", b.model()).outcome.changed, 0);
}

TEST(RemoveNeutralOperands, KeepsAConstantThatWidensTheShape) {
  ModelBuilder b(13);
  b.input("x", {1, -1});
  b.floats("wide", {2, 1}, {1, 1});
  b.floats("deep", {1, 1, 1}, {1});
  b.node("Mul", {"x", "wide"}, "a");
  b.node("Mul", {"a", "deep"}, "y");
  b.output("y");
  EXPECT_EQ(run_pass("remove_neutral_operands", b.model()).outcome.changed, 0);
}

}  // namespace
}  // namespace wattwise::optimize::testing
