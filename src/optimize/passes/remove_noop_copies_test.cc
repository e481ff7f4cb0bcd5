// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

using Ints = std::vector<int64_t>;

TEST(RemoveNoopCopies, TakesOutWhatMovesNothing) {
  ModelBuilder b(13);
  b.input("x", {-1, 3, 4, 4});
  b.integers("pads", {8}, Ints(8, 0));
  b.integers("starts", {2}, {0, 0});
  b.integers("ends", {2}, {3, int64_t{1} << 60});
  b.integers("axes", {2}, {1, -1});
  b.integers("shape", {3}, {3, 1, 4});
  b.integers("repeats", {4}, {1, 1, 1, 1});
  b.floats("scales", {4}, {1, 1, 1, 1});
  b.node("Pad", {"x", "pads"}, "a");
  b.node("Slice", {"a", "starts", "ends", "axes"}, "b");
  b.node("Expand", {"b", "shape"}, "c");
  b.node("Tile", {"c", "repeats"}, "d");
  b.node("MaxPool", {"d"}, "e", {{"kernel_shape", Ints{1, 1}}});
  b.node("Resize", {"e", "", "scales"}, "f");
  b.node("Relu", {"f"}, "y");
  b.output("y");
  const auto result = run_pass("remove_noop_copies", b.model());
  EXPECT_EQ(result.outcome.changed, 6);
  EXPECT_EQ(result.model.graph.nodes.size(), 1U);
}

TEST(RemoveNoopCopies, ReadsAttributesOfOlderOperatorSets) {
  ModelBuilder b(9);
  b.input("x", {1, 4});
  b.node("Pad", {"x"}, "a", {{"pads", Ints{0, 0, 0, 0}}});
  b.node("Slice", {"a"}, "b", {{"starts", Ints{0}}, {"ends", Ints{4}}, {"axes", Ints{1}}});
  b.node("Relu", {"b"}, "y");
  b.output("y");
  EXPECT_EQ(run_pass("remove_noop_copies", b.model()).outcome.changed, 2);
}

TEST(RemoveNoopCopies, KeepsWhatMovesSomething) {
  ModelBuilder b(13);
  b.input("x", {-1, 3, 4, 4});
  b.integers("pads", {8}, {0, 0, 0, 1, 0, 0, 0, 0});
  b.integers("starts", {1}, {0});
  b.integers("ends", {1}, {2});
  b.integers("axes", {1}, {0});
  b.integers("steps", {1}, {2});
  b.integers("all", {1}, {int64_t{1} << 60});
  b.integers("shape", {5}, {1, 1, 1, 1, 1});
  b.node("Pad", {"x", "pads"}, "a");
  b.node("Slice", {"a", "starts", "ends", "axes"}, "b");
  b.node("Slice", {"b", "starts", "all", "axes", "steps"}, "c");
  b.node("Expand", {"c", "shape"}, "d");
  b.node("MaxPool", {"a"}, "e", {{"kernel_shape", Ints{1, 1}}, {"strides", Ints{2, 1}}});
  b.output("d");
  b.output("e");
  EXPECT_EQ(run_pass("remove_noop_copies", b.model(), {1, 3}).outcome.changed, 0);
}

}  // namespace
}  // namespace wattwise::optimize::testing
