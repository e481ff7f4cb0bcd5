// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

using Ints = std::vector<int64_t>;

constexpr int64_t kFloat = 1;
constexpr int64_t kInt8 = 3;
constexpr int64_t kInt32 = 6;
constexpr int64_t kInt64 = 7;
constexpr int64_t kHalf = 10;
constexpr int64_t kDouble = 11;

void cast(ModelBuilder& b, const std::string& from, const std::string& to, int64_t type) {
  b.node("Cast", {from}, to, {{"to", type}});
}

TEST(RemoveNoopCasts, TakesOutACastToTheOwnTypeAndBack) {
  ModelBuilder b(13);
  b.input("x", {2, -1});
  cast(b, "x", "same", kFloat);
  cast(b, "same", "wide", kDouble);
  cast(b, "wide", "back", kFloat);
  b.node("Relu", {"back"}, "y");
  b.output("y");
  const auto all = run_all_passes(b.model());
  EXPECT_EQ(all.model.graph.nodes.size(), 1U);
  EXPECT_EQ(run_pass("remove_noop_casts", b.model()).outcome.changed, 3);
}

TEST(RemoveNoopCasts, SkipsAWiderTypeBetweenWholeNumbers) {
  ModelBuilder b(13);
  b.input("x", {5}, DataType::kInt32);
  cast(b, "x", "wide", kInt64);
  cast(b, "wide", "narrow", kInt8);
  cast(b, "narrow", "y", kFloat);
  b.output("y");
  const auto result = run_all_passes(b.model());
  EXPECT_EQ(count_nodes(result.model, "Cast"), 2);
}

TEST(RemoveNoopCasts, KeepsCastsThatLose) {
  ModelBuilder b(13);
  b.input("x", {5});
  cast(b, "x", "half", kHalf);
  cast(b, "half", "a", kFloat);
  cast(b, "x", "whole", kInt32);
  cast(b, "whole", "b", kFloat);
  b.node("Add", {"a", "b"}, "y");
  b.output("y");
  EXPECT_EQ(run_pass("remove_noop_casts", b.model()).outcome.changed, 0);
}

TEST(RemoveNoopCasts, KeepsTheStepBetweenKindsOfNumbersThatMayOverflow) {
  ModelBuilder b(13);
  b.input("x", {5}, DataType::kInt8);
  cast(b, "x", "number", kFloat);
  cast(b, "number", "unsigned", 2);
  cast(b, "unsigned", "y", kInt64);
  b.output("y", DataType::kInt64);
  EXPECT_EQ(count_nodes(run_all_passes(b.model()).model, "Cast"), 3);
}

}  // namespace
}  // namespace wattwise::optimize::testing
