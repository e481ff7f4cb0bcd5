// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

using Ints = std::vector<int64_t>;

TEST(MergeSplitParts, PartsOfASplitAreTheWhole) {
  ModelBuilder b(13);
  b.input("x", {-1, 6});
  b.node("Split", {"x"}, "a", {{"axis", int64_t{1}}}).outputs = {"a", "b", "c"};
  b.node("Concat", {"a", "b", "c"}, "z", {{"axis", int64_t{-1}}});
  b.node("Relu", {"z"}, "y");
  b.output("y");
  EXPECT_EQ(run_all_passes(b.model(), {1, 3}).model.graph.nodes.size(), 1U);
}

void slice(ModelBuilder& b, const std::string& to, int64_t start, int64_t end) {
  b.integers(to + "_start", {1}, {start});
  b.integers(to + "_end", {1}, {end});
  b.node("Slice", {"x", to + "_start", to + "_end", "axis"}, to);
}

ModelBuilder sliced(int64_t middle, int64_t end) {
  ModelBuilder b(13);
  b.input("x", {2, -1});
  b.integers("axis", {1}, {1});
  slice(b, "a", 0, 2);
  slice(b, "b", middle, end);
  b.node("Concat", {"a", "b"}, "z", {{"axis", int64_t{1}}});
  b.node("Relu", {"z"}, "y");
  b.output("y");
  return b;
}

TEST(MergeSplitParts, SlicesWithoutGapAreTheWhole) {
  auto b = sliced(2, int64_t{1} << 40);
  EXPECT_EQ(run_all_passes(b.model(), {1, 5}).model.graph.nodes.size(), 1U);
}

TEST(MergeSplitParts, KeepsGapsOverlapsAndOpenEnds) {
  for (const auto& [middle, end] :
       {std::pair<int64_t, int64_t>{3, 1 << 30}, {1, 1 << 30}, {2, 4}}) {
    auto b = sliced(middle, end);
    EXPECT_EQ(run_pass("merge_split_parts", b.model(), {5, 7}).outcome.changed, 0);
  }
}

TEST(MergeSplitParts, TakesAnInnerConcatIn) {
  ModelBuilder b(13);
  b.input("x", {2, 3});
  b.node("Relu", {"x"}, "a");
  b.node("Concat", {"x", "a"}, "inner", {{"axis", int64_t{-1}}});
  b.node("Concat", {"a", "inner", "x"}, "y", {{"axis", int64_t{1}}});
  b.output("y");
  const auto result = run_pass("merge_split_parts", b.model());
  ASSERT_EQ(count_nodes(result.model, "Concat"), 1);
  EXPECT_EQ(result.model.graph.nodes.back().inputs.size(), 4U);
}

TEST(MergeSplitParts, KeepsAnInnerConcatThatOthersReadOrOfAnotherAxis) {
  ModelBuilder b(13);
  b.input("x", {2, 2});
  b.node("Concat", {"x", "x"}, "read", {{"axis", int64_t{1}}});
  b.node("Concat", {"x", "x"}, "down", {{"axis", int64_t{0}}});
  b.node("Transpose", {"down"}, "turned");
  b.node("Concat", {"read", "turned"}, "y", {{"axis", int64_t{1}}});
  b.output("read");
  b.output("y");
  EXPECT_EQ(run_pass("merge_split_parts", b.model()).outcome.changed, 0);
}

}  // namespace
}  // namespace wattwise::optimize::testing
