// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

using Ints = std::vector<int64_t>;

TEST(MergeReductions, KeepsAxesThatArePutBack) {
  ModelBuilder b(13);
  b.input("x", {2, 3, -1});
  b.integers("back", {2}, {-1, 0});
  b.node("ReduceMean", {"x"}, "m", {{"axes", Ints{0, 2}}, {"keepdims", int64_t{0}}});
  b.node("Unsqueeze", {"m", "back"}, "y");
  b.output("y");
  const auto result = run_pass("merge_reductions", b.model(), {1, 4});
  EXPECT_EQ(result.model.graph.nodes.size(), 1U);
}

TEST(MergeReductions, KeepsOtherAxesAndOtherReaders) {
  ModelBuilder b(11);
  b.input("x", {2, 3, 4});
  b.node("ReduceMax", {"x"}, "m", {{"axes", Ints{1}}, {"keepdims", int64_t{0}}});
  b.node("Unsqueeze", {"m"}, "y", {{"axes", Ints{2}}});
  b.node("ReduceMin", {"x"}, "n", {{"axes", Ints{1}}, {"keepdims", int64_t{0}}});
  b.node("Unsqueeze", {"n"}, "z", {{"axes", Ints{1}}});
  for (const char* name : {"y", "n", "z"}) b.output(name);
  EXPECT_EQ(run_pass("merge_reductions", b.model()).outcome.changed, 0);
}

TEST(MergeReductions, TakesTheOnlyNumber) {
  for (const char* op : {"ReduceMean", "ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin"}) {
    ModelBuilder b(12);
    b.input("x", {-1, 1, 4, 1});
    b.node(op, {"x"}, "m", {{"axes", Ints{1, -1}}, {"keepdims", int64_t{0}}});
    b.node("Relu", {"m"}, "r");
    b.node(op, {"x"}, "k", {{"axes", Ints{3}}});
    b.node("Neg", {"k"}, "n");
    b.output("r");
    b.output("n");
    const auto result = run_pass("merge_reductions", b.model(), {1, 3});
    EXPECT_EQ(count_nodes(result.model, op), 0) << op;
    EXPECT_EQ(count_nodes(result.model, "Squeeze"), 1) << op;
  }
}

TEST(MergeReductions, KeepsWhatChangesASingleNumberAndFreeSizes) {
  ModelBuilder b(13);
  b.input("x", {-1, 1, 4});
  b.node("ReduceL2", {"x"}, "y", {{"axes", Ints{1}}, {"keepdims", int64_t{0}}});
  b.node("ReduceMean", {"x"}, "z", {{"axes", Ints{0}}, {"keepdims", int64_t{0}}});
  b.output("y");
  b.output("z");
  EXPECT_EQ(run_pass("merge_reductions", b.model(), {1, 3}).outcome.changed, 0);
}

TEST(MergeReductions, AxesThatAreInputsBecomeThoseOfTheSqueeze) {
  ModelBuilder b(18);
  b.input("x", {3, 1, 4});
  b.integers("axes", {1}, {-2});
  b.node("ReduceMean", {"x", "axes"}, "y", {{"keepdims", int64_t{0}}});
  b.output("y");
  EXPECT_EQ(count_nodes(run_pass("merge_reductions", b.model()).model, "Squeeze"), 1);
}

}  // namespace
}  // namespace wattwise::optimize::testing
