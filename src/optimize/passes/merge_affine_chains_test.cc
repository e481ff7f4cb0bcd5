// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

constexpr char kMergeAffineChains[] = "merge_affine_chains";

ModelBuilder start_chain() {
  ModelBuilder b(13);
  b.input("x", {2, -1, 4});
  b.floats("two", {}, {2});
  b.floats("three", {1}, {3});
  b.floats("third", {1}, {1.0F / 3});
  b.random("row", {4});
  b.random("wide", {1, 1, 4});
  return b;
}

TEST(MergeAffineChains, LeavesOneMulAndOneAdd) {
  ModelBuilder b = start_chain();
  b.node("Mul", {"x", "two"}, "v1");
  b.node("Div", {"v1", "three"}, "v2");
  b.node("Add", {"row", "v2"}, "v3");
  b.node("Sub", {"two", "v3"}, "v4");
  b.node("Mul", {"v4", "wide"}, "y");
  b.output("y");
  const auto result = run_pass(kMergeAffineChains, b.model());
  EXPECT_EQ(result.model.graph.nodes.size(), 2U);
  EXPECT_EQ(run_pass(kMergeAffineChains, result.model).outcome.changed, 0);
}

TEST(MergeAffineChains, RemovesWhatCancels) {
  ModelBuilder b = start_chain();
  b.node("Add", {"x", "three"}, "v1");
  b.node("Sub", {"v1", "three"}, "v2");
  b.node("Relu", {"v2"}, "y");
  b.output("y");
  EXPECT_EQ(run_pass(kMergeAffineChains, b.model()).model.graph.nodes.size(), 1U);
}

TEST(MergeAffineChains, KeepsTheShapeThatAConstantGave) {
  ModelBuilder b(13);
  b.input("x", {4});
  b.floats("ones", {3, 1, 1}, {1, 1, 1});
  b.random("row", {4});
  b.node("Mul", {"x", "ones"}, "v1");
  b.node("Add", {"v1", "row"}, "v2");
  b.node("Add", {"v2", "row"}, "y");
  b.output("y");
  run_pass(kMergeAffineChains, b.model());  // compares the outputs, shapes included
}

TEST(MergeAffineChains, LeavesSharedValuesOutputsAndNumbersThatRound) {
  ModelBuilder b = start_chain();
  b.floats("magic", {}, {12582912});
  b.node("Mul", {"x", "two"}, "v1");
  b.node("Mul", {"v1", "three"}, "y");
  b.node("Add", {"x", "magic"}, "v2");
  b.node("Sub", {"v2", "magic"}, "z");
  b.node("Add", {"x", "two"}, "v3");
  b.node("Add", {"v3", "two"}, "v");
  b.node("Relu", {"v3"}, "w");
  for (const char* name : {"v1", "y", "z", "v", "w"}) b.output(name);
  EXPECT_EQ(run_pass(kMergeAffineChains, b.model()).outcome.changed, 0);
}

}  // namespace
}  // namespace wattwise::optimize::testing
