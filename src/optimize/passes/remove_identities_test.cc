// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

using Ints = std::vector<int64_t>;

TEST(RemoveIdentities, HandsTheInputOn) {
  ModelBuilder b(13);
  b.input("x", {2, -1});
  b.node("Identity", {"x"}, "a");
  b.node("Dropout", {"a"}, "d");
  b.node("Concat", {"d"}, "c", {{"axis", int64_t{0}}});
  b.node("Sum", {"c"}, "s");
  b.node("Split", {"s"}, "p", {{"axis", int64_t{0}}});
  b.node("Relu", {"p"}, "y");
  b.output("y");
  const auto result = run_pass("remove_identities", b.model());
  EXPECT_EQ(result.outcome.changed, 5);
  EXPECT_EQ(result.model.graph.nodes.size(), 1U);
}

TEST(RemoveIdentities, LetsTheProducerMakeTheOutput) {
  ModelBuilder b(13);
  b.input("x", {2, 3});
  b.node("Relu", {"x"}, "r");
  b.node("Sigmoid", {"r"}, "s");
  b.node("Identity", {"r"}, "y");
  b.output("y");
  b.output("s");
  const auto result = run_pass("remove_identities", b.model());
  EXPECT_EQ(result.outcome.changed, 1);
  EXPECT_EQ(result.model.graph.nodes.size(), 2U);
}

TEST(RemoveIdentities, KeepsWhatOutputsNeed) {
  ModelBuilder b(13);
  b.input("x", {2, 3});
  b.random("w", {2, 3});
  b.node("Relu", {"x"}, "r");
  b.node("Identity", {"x"}, "from_input");
  b.node("Identity", {"w"}, "from_constant");
  b.node("Identity", {"r"}, "from_output");
  for (const char* name : {"r", "from_input", "from_constant", "from_output"}) b.output(name);
  EXPECT_EQ(run_pass("remove_identities", b.model()).outcome.changed, 0);
}

TEST(RemoveIdentities, KeepsDropoutWhoseMaskIsRead) {
  ModelBuilder b(13);
  b.input("x", {2, 3});
  b.node("Dropout", {"x"}, "d").outputs.emplace_back("mask");
  b.node("Cast", {"mask"}, "m", {{"to", int64_t{1}}});
  b.node("Add", {"d", "m"}, "y");
  b.output("y");
  EXPECT_EQ(run_pass("remove_identities", b.model()).outcome.changed, 0);
}

}  // namespace
}  // namespace wattwise::optimize::testing
