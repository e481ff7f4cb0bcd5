// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

using Ints = std::vector<int64_t>;

model::AttributeValue branch(const std::string& name, float first) {
  ModelBuilder b(13);
  std::vector<float> values(32, 0.5F);
  values[0] = first;
  b.floats(name + "_w", {32}, values);
  b.node("Mul", {"x", name + "_w"}, name);
  b.output(name);
  return std::make_shared<model::Graph>(b.model().graph);
}

ModelBuilder branching(float then_first, float else_first) {
  ModelBuilder b(13);
  b.input("x", {2, 32});
  b.input("condition", {}, DataType::kBool);
  b.node("If", {"condition"}, "y",
         {{"then_branch", branch("a", then_first)}, {"else_branch", branch("b", else_first)}});
  b.output("y");
  return b;
}

TEST(MergeDuplicateConstants, KeepsOneOfEqualOnes) {
  ModelBuilder b(13);
  b.input("x", {2, 3});
  b.floats("a", {3}, {1, 2, 3});
  b.floats("b", {3}, {1, 2, 3});
  b.floats("other_shape", {1, 3}, {1, 2, 3});
  b.floats("other_value", {3}, {1, 2, 4});
  b.node("Add", {"x", "a"}, "p");
  b.node("Mul", {"p", "b"}, "q");
  b.node("Add", {"q", "other_shape"}, "r");
  b.node("Mul", {"r", "other_value"}, "y");
  b.output("y");
  const auto result = run_pass("merge_duplicate_constants", b.model());
  EXPECT_EQ(result.outcome.changed, 1);
  EXPECT_EQ(result.model.graph.initializers.size(), 3U);
}

TEST(MergeDuplicateConstants, BranchesShareAConstantOfTheGraphAroundThem) {
  auto b = branching(1, 1);
  const auto result = run_pass("merge_duplicate_constants", b.model());
  EXPECT_EQ(result.model.graph.initializers.size(), 1U);
  auto again = run_pass("merge_duplicate_constants", result.model);
  EXPECT_EQ(again.outcome.changed, 0);
}

TEST(MergeDuplicateConstants, BranchesKeepDifferentOnes) {
  auto b = branching(1, 2);
  EXPECT_EQ(run_pass("merge_duplicate_constants", b.model()).outcome.changed, 0);
}

}  // namespace
}  // namespace wattwise::optimize::testing
