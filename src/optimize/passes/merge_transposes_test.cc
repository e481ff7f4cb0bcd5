// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

using Ints = std::vector<int64_t>;

TEST(MergeTransposes, ComposesAndCancels) {
  ModelBuilder b(13);
  b.input("x", {2, -1, 4});
  b.node("Transpose", {"x"}, "a", {{"perm", Ints{0, 2, 1}}});
  b.node("Transpose", {"a"}, "b", {{"perm", Ints{1, 0, 2}}});
  b.node("Transpose", {"b"}, "c", {{"perm", Ints{0, 1, 2}}});
  b.node("Transpose", {"c"}, "d");
  b.node("Transpose", {"d"}, "e");
  b.node("Relu", {"e"}, "y");
  b.output("y");
  const auto result = run_all_passes(b.model());
  ASSERT_EQ(count_nodes(result.model, "Transpose"), 1);
  EXPECT_EQ(result.model.graph.nodes[0].ints_or_empty("perm"), (Ints{2, 0, 1}));
}

TEST(MergeTransposes, TwoReversalsAreNone) {
  ModelBuilder b(13);
  b.input("x", {2, 3});
  b.node("Relu", {"x"}, "r");
  b.node("Transpose", {"r"}, "a");
  b.node("Transpose", {"a"}, "y");
  b.output("y");
  const auto result = run_all_passes(b.model());
  EXPECT_EQ(result.model.graph.nodes.size(), 1U);
}

TEST(MergeTransposes, LeavesTheFirstToItsOtherReaders) {
  ModelBuilder b(13);
  b.input("x", {2, 3, 4});
  b.node("Transpose", {"x"}, "a", {{"perm", Ints{0, 2, 1}}});
  b.node("Transpose", {"a"}, "y", {{"perm", Ints{1, 0, 2}}});
  b.output("a");
  b.output("y");
  EXPECT_EQ(count_nodes(run_all_passes(b.model()).model, "Transpose"), 2);
}

}  // namespace
}  // namespace wattwise::optimize::testing
