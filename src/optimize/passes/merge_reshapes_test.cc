// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

using Ints = std::vector<int64_t>;

TEST(MergeReshapes, OnlyTheLastShapeCounts) {
  ModelBuilder b(13);
  b.input("x", {-1, 3, 1, 4});
  b.integers("axes", {1}, {2});
  b.integers("front", {1}, {0});
  b.integers("shape", {2}, {-1, 12});
  b.node("Squeeze", {"x", "axes"}, "a");
  b.node("Reshape", {"a", "shape"}, "b");
  b.node("Unsqueeze", {"b", "front"}, "c");
  b.node("Relu", {"c"}, "y");
  b.output("y");
  const auto result = run_pass("merge_reshapes", b.model(), {1, 5});
  EXPECT_EQ(result.outcome.changed, 2);
  const auto all = run_all_passes(b.model(), {1, 5});
  EXPECT_EQ(all.model.graph.nodes.size(), 2U);
}

TEST(MergeReshapes, TakesOutReshapesToTheOwnShape) {
  ModelBuilder b(13);
  b.input("x", {-1, -1, 4});
  b.integers("own", {3}, {0, -1, 4});
  b.node("Reshape", {"x", "own"}, "a");
  b.node("Shape", {"a"}, "s");
  b.node("Reshape", {"a", "s"}, "b");
  b.integers("axis", {1}, {1});
  b.node("Unsqueeze", {"b", "axis"}, "c");
  b.node("Squeeze", {"c", "axis"}, "d");
  b.node("Relu", {"d"}, "y");
  b.output("y");
  EXPECT_EQ(run_all_passes(b.model(), {1, 3}).model.graph.nodes.size(), 1U);
}

TEST(MergeReshapes, WorksOnAttributesAndConstantNodes) {
  ModelBuilder b(11);
  b.input("x", {2, 6});
  b.integers("shape", {3}, {2, 3, 2});
  b.node("Unsqueeze", {"x"}, "a", {{"axes", Ints{0}}});
  b.node("Reshape", {"a", "shape"}, "b");
  b.node("Flatten", {"b"}, "c");
  b.node("Relu", {"c"}, "y");
  b.output("y");
  as_constant_nodes(b.model().graph);
  EXPECT_EQ(run_all_passes(b.model()).model.graph.nodes.size(), 1U);
}

TEST(MergeReshapes, KeepsShapesWithTwoFreeSizes) {
  ModelBuilder b(13);
  b.input("x", {-1, 1, -1});
  b.integers("axis", {1}, {0});
  b.integers("middle", {1}, {2});
  b.node("Unsqueeze", {"x", "axis"}, "a");
  b.node("Squeeze", {"a", "middle"}, "y");
  b.output("y");
  EXPECT_EQ(run_pass("merge_reshapes", b.model(), {2, 3}).outcome.changed, 0);
}

TEST(MergeReshapes, UnitesAxesWhereSizesAreFree) {
  ModelBuilder b(13);
  b.input("x", {-1, -1, 4});
  b.integers("outer", {2}, {0, -2});
  b.integers("inner", {2}, {1, 3});
  b.node("Unsqueeze", {"x", "inner"}, "a");  // [-1, 1, -1, 1, 4]
  b.node("Unsqueeze", {"a", "outer"}, "u");  // [1, -1, 1, -1, 1, 1, 4]
  b.node("Relu", {"u"}, "r");
  b.node("Squeeze", {"r", "outer"}, "s");
  b.node("Squeeze", {"s", "inner"}, "t");
  b.node("Neg", {"t"}, "y");
  b.output("y");
  const auto result = run_all_passes(b.model(), {2, 3});
  EXPECT_EQ(count_nodes(result.model, "Unsqueeze"), 1);
  EXPECT_EQ(count_nodes(result.model, "Squeeze"), 1);
}

TEST(MergeReshapes, UnitesAxesThatAreAttributes) {
  ModelBuilder b(11);
  b.input("x", {-1, -1, 4});
  b.node("Unsqueeze", {"x"}, "a", {{"axes", Ints{1}}});
  b.node("Unsqueeze", {"a"}, "u", {{"axes", Ints{0, 1}}});
  b.node("Relu", {"u"}, "y");
  b.output("y");
  const auto result = run_pass("merge_reshapes", b.model(), {2, 3});
  EXPECT_EQ(result.outcome.changed, 1);
  for (const model::Node& node : result.model.graph.nodes) {
    if (node.is("Unsqueeze") && node.inputs[0] == "x" && node.outputs[0] == "u") {
      EXPECT_EQ(node.ints_or_empty("axes"), (Ints{0, 1, 3}));
    }
  }
}

TEST(MergeReshapes, LeavesTheFirstToItsOtherReaders) {
  ModelBuilder b(13);
  b.input("x", {2, 6});
  b.integers("three", {3}, {2, 3, 2});
  b.integers("four", {2}, {4, 3});
  b.node("Reshape", {"x", "three"}, "a");
  b.node("Reshape", {"a", "four"}, "y");
  b.output("a");
  b.output("y");
  const auto result = run_pass("merge_reshapes", b.model());
  EXPECT_EQ(result.outcome.changed, 1);
  EXPECT_EQ(count_nodes(result.model, "Reshape"), 2);
}

}  // namespace
}  // namespace wattwise::optimize::testing
