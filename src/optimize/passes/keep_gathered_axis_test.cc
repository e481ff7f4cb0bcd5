// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

using Ints = std::vector<int64_t>;

/// x[index] along the axis, which is put back.
ModelBuilder pick_model(int64_t index, int64_t axis, int64_t back) {
  ModelBuilder b(13);
  b.input("x", {2, -1, 5});
  b.integers("index", {}, {index});
  b.integers("back", {1}, {back});
  b.node("Gather", {"x", "index"}, "row", {{"axis", axis}});
  b.node("Unsqueeze", {"row", "back"}, "y");
  b.output("y");
  return b;
}

TEST(KeepGatheredAxis, SlicesInstead) {
  for (const int64_t index : {0, 1, -1}) {
    const auto result = run_all_passes(pick_model(index, 0, 0).model(), {1, 3});
    EXPECT_EQ(count_nodes(result.model, "Gather"), 0) << index;
    EXPECT_EQ(count_nodes(result.model, "Slice"), 1) << index;
  }
  EXPECT_EQ(run_pass("keep_gathered_axis", pick_model(3, -1, -1).model()).outcome.changed, 1);
}

TEST(KeepGatheredAxis, KeepsAnotherAxisPutIn) {
  EXPECT_EQ(run_pass("keep_gathered_axis", pick_model(1, 0, 1).model()).outcome.changed, 0);
}

TEST(KeepGatheredAxis, KeepsAnIndexThatMayBeOutside) {
  EXPECT_EQ(run_pass("keep_gathered_axis", pick_model(1, 1, 1).model()).outcome.changed, 0);
}

TEST(KeepGatheredAxis, KeepsAListOfIndices) {
  ModelBuilder b(11);
  b.input("x", {3, 5});
  b.integers("index", {1}, {2});
  b.node("Gather", {"x", "index"}, "rows");
  b.node("Unsqueeze", {"rows"}, "y", {{"axes", Ints{0}}});
  b.output("y");
  EXPECT_EQ(run_pass("keep_gathered_axis", b.model()).outcome.changed, 0);
}

TEST(KeepGatheredAxis, LeavesTheRowToItsOtherReaders) {
  ModelBuilder b = pick_model(1, 0, 0);
  b.output("row");
  const auto result = run_pass("keep_gathered_axis", b.model());
  EXPECT_EQ(result.outcome.changed, 1);
  EXPECT_EQ(count_nodes(result.model, "Gather"), 1);
}

}  // namespace
}  // namespace wattwise::optimize::testing
