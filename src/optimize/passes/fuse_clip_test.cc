// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

constexpr char kFuseClip[] = "fuse_clip";

ModelBuilder start_clip(int64_t opset) {
  ModelBuilder b(opset);
  b.input("x", {2, -1});
  b.floats("zero", {}, {0});
  b.floats("half", {1}, {0.5F});
  b.floats("minus", {}, {-0.5F});
  return b;
}

TEST(FuseClip, JoinsReluAndClipInBothForms) {
  for (const int64_t opset : {9, 13}) {
    ModelBuilder b = start_clip(opset);
    b.node("Relu", {"x"}, "r1");
    b.node("Relu", {"r1"}, "r2");
    if (opset < 11) {
      b.node("Clip", {"r2"}, "y", {{"min", -0.5F}, {"max", 0.5F}});
    } else {
      b.node("Clip", {"r2", "minus", "half"}, "y");
    }
    b.output("y");
    const auto result = run_pass(kFuseClip, b.model());
    ASSERT_EQ(result.model.graph.nodes.size(), 1U);
    EXPECT_EQ(count_nodes(result.model, "Clip"), 1);
    EXPECT_EQ(run_pass(kFuseClip, result.model).outcome.changed, 0);
  }
}

TEST(FuseClip, WritesMinAndMaxAsClipAndRelu) {
  ModelBuilder b = start_clip(13);
  b.node("Max", {"zero", "x"}, "m");
  b.node("Min", {"m", "half"}, "y");
  b.node("Max", {"x", "zero"}, "z");
  b.node("Clip", {"x", "zero"}, "v");
  b.node("Min", {"x", "half"}, "w");
  for (const char* name : {"y", "z", "v", "w"}) b.output(name);
  const auto result = run_pass(kFuseClip, b.model());
  EXPECT_EQ(result.model.graph.nodes.size(), 4U);
  EXPECT_EQ(count_nodes(result.model, "Clip"), 2);
  EXPECT_EQ(count_nodes(result.model, "Relu"), 2);
}

TEST(FuseClip, LeavesWhatOthersReadAndLimitsThatAreNoNumbers) {
  ModelBuilder b = start_clip(13);
  b.input("limit", {});
  b.floats("row", {3}, {1, 2, 3});
  b.floats("deep", {1, 1, 1}, {0.5F});
  b.input("x3", {2, 3});
  b.node("Relu", {"x"}, "r");
  b.node("Clip", {"r", "", "half"}, "y");
  b.node("Clip", {"x", "", "limit"}, "l");
  b.node("Min", {"x3", "row"}, "m");
  b.node("Min", {"x", "deep"}, "d");
  b.node("Max", {"x", "zero", "half"}, "t");
  for (const char* name : {"y", "r", "l", "m", "d", "t"}) b.output(name);
  EXPECT_EQ(run_pass(kFuseClip, b.model()).outcome.changed, 0);
}

}  // namespace
}  // namespace wattwise::optimize::testing
