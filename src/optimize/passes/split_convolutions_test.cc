// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

using Ints = std::vector<int64_t>;

/// x[in] -> Conv[out] -> c
ModelBuilder conv_model(int64_t in, int64_t out, int64_t opset = 13) {
  ModelBuilder b(opset);
  b.input("x", {1, in, 6, -1});
  b.random("w", {out, in, 3, 3});
  b.random("bias", {out});
  b.node("Conv", {"x", "w", "bias"}, "c", {{"pads", Ints{1, 1, 1, 1}}});
  return b;
}

void add_slice(ModelBuilder& b, const std::string& name, int64_t begin, int64_t end) {
  b.integers(name + "_begin", {1}, {begin});
  b.integers(name + "_end", {1}, {end});
  b.integers(name + "_axis", {1}, {1});
  b.node("Slice", {"c", name + "_begin", name + "_end", name + "_axis"}, name);
}

/// The parts as the two sides of a gate.
void add_gate(ModelBuilder& b) {
  b.node("Sigmoid", {"b"}, "s");
  b.node("Mul", {"a", "s"}, "y");
  b.output("y");
}

TEST(SplitConvolutions, ComputesSlicesApart) {
  ModelBuilder b = conv_model(8, 34);
  add_slice(b, "b", 17, std::numeric_limits<int64_t>::max());
  add_slice(b, "a", 0, -17);
  add_gate(b);
  const auto result = run_pass("split_convolutions", b.model(), {4, 7}, kBlocks8);
  EXPECT_EQ(count_nodes(result.model, "Conv"), 2);
  EXPECT_EQ(count_nodes(result.model, "Slice"), 0);
}

TEST(SplitConvolutions, ComputesPartsOfASplitApart) {
  ModelBuilder b = conv_model(3, 40, 11);
  model::Node& split = b.node("Split", {"c"}, "a", {{"axis", int64_t{1}}, {"split", Ints{16, 24}}});
  split.outputs.push_back("b");
  b.node("Relu", {"a"}, "y");
  b.node("Neg", {"b"}, "z");
  b.output("y");
  b.output("z");
  const auto result = run_pass("split_convolutions", b.model(), {4, 7}, kBlocks8);
  EXPECT_EQ(count_nodes(result.model, "Conv"), 2);
  EXPECT_EQ(count_nodes(result.model, "Split"), 0);
}

TEST(SplitConvolutions, KeepsPartsThatOverlapLeaveOutOrAreNarrow) {
  const std::vector<Ints> cuts = {{20, 16}, {16, 18}, {10, 10}};
  for (const Ints& cut : cuts) {
    ModelBuilder b = conv_model(8, 34);
    add_slice(b, "a", 0, cut[0]);
    add_slice(b, "b", cut[1], 34);
    b.node("Relu", {"a"}, "y");
    b.node("Neg", {"b"}, "z");
    b.output("y");
    b.output("z");
    EXPECT_EQ(run_pass("split_convolutions", b.model(), {4}, kBlocks8).outcome.changed, 0);
  }
}

TEST(SplitConvolutions, KeepsAWholeThatIsReadToo) {
  ModelBuilder b = conv_model(8, 32);
  add_slice(b, "a", 0, 16);
  add_slice(b, "b", 16, 32);
  add_gate(b);
  b.output("c");
  EXPECT_EQ(run_pass("split_convolutions", b.model(), {4}, kBlocks8).outcome.changed, 0);
}

TEST(SplitConvolutions, KeepsWhatIsNotComputedInBlocks) {
  ModelBuilder b = conv_model(9, 32);
  add_slice(b, "a", 0, 16);
  add_slice(b, "b", 16, 32);
  add_gate(b);
  EXPECT_EQ(run_pass("split_convolutions", b.model(), {4}, kBlocks8).outcome.changed, 0);
  EXPECT_EQ(run_pass("split_convolutions", b.model(), {4}, TargetFacts{0}).outcome.changed, 0);
}

}  // namespace
}  // namespace wattwise::optimize::testing
