// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

using Ints = std::vector<int64_t>;

TEST(MergeEqualNodes, ComputesOnce) {
  ModelBuilder b(13);
  b.input("x", {2, 3});
  b.input("z", {2, 3});
  b.node("Add", {"x", "z"}, "a");
  b.node("Add", {"z", "x"}, "b");
  b.node("Softmax", {"a"}, "c", {{"axis", int64_t{1}}});
  b.node("Softmax", {"b"}, "d", {{"axis", int64_t{1}}});
  b.node("Mul", {"c", "d"}, "y");
  b.output("y");
  EXPECT_EQ(run_pass("merge_equal_nodes", b.model()).model.graph.nodes.size(), 3U);
}

TEST(MergeEqualNodes, KeepsTheNameOfAnOutput) {
  ModelBuilder b(13);
  b.input("x", {2, 3});
  b.node("Relu", {"x"}, "a");
  b.node("Relu", {"x"}, "out");
  b.node("Sigmoid", {"a"}, "y");
  b.output("y");
  b.output("out");
  EXPECT_EQ(run_pass("merge_equal_nodes", b.model()).outcome.changed, 1);
}

TEST(MergeEqualNodes, KeepsDifferentAttributesOperandsOutputsAndRandomness) {
  ModelBuilder b(13);
  b.input("x", {2, 3});
  b.input("z", {2, 3});
  b.node("Sub", {"x", "z"}, "a");
  b.node("Sub", {"z", "x"}, "b");
  b.node("Softmax", {"a"}, "c", {{"axis", int64_t{0}}});
  b.node("Softmax", {"a"}, "d", {{"axis", int64_t{1}}});
  b.node("RandomNormalLike", {"x"}, "r");
  b.node("RandomNormalLike", {"x"}, "s");
  b.floats("zero", {}, {0});
  b.node("Mul", {"r", "zero"}, "no_r");
  b.node("Mul", {"s", "zero"}, "no_s");
  for (const char* name : {"b", "c", "d", "no_r", "no_s"}) b.output(name);
  b.node("Relu", {"x"}, "first");
  b.node("Relu", {"x"}, "second");
  b.output("first");
  b.output("second");
  EXPECT_EQ(run_pass("merge_equal_nodes", b.model()).outcome.changed, 0);
}

TEST(MergeEqualNodes, AnInnerGraphReadsTheValueAroundIt) {
  ModelBuilder inner(13);
  inner.node("Sigmoid", {"x"}, "again");
  inner.node("Neg", {"again"}, "inner_out");
  inner.output("inner_out");
  ModelBuilder other(13);
  other.node("Relu", {"x"}, "other_out");
  other.output("other_out");
  ModelBuilder b(13);
  b.input("x", {2, 3});
  b.input("condition", {}, DataType::kBool);
  b.node("Sigmoid", {"x"}, "s");
  b.node("If", {"condition"}, "chosen",
         {{"then_branch", std::make_shared<model::Graph>(inner.model().graph)},
          {"else_branch", std::make_shared<model::Graph>(other.model().graph)}});
  b.node("Add", {"chosen", "s"}, "y");
  b.output("y");
  EXPECT_EQ(count_nodes(run_pass("merge_equal_nodes", b.model()).model, "Sigmoid"), 1);
}

}  // namespace
}  // namespace wattwise::optimize::testing
