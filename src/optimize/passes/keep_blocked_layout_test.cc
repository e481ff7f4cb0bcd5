// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

constexpr char kLayoutPass[] = "keep_blocked_layout";
using Ints = std::vector<int64_t>;

/// x -> Conv -> hard swish h of this many channels.
void add_stem(ModelBuilder& b, int64_t channels) {
  b.input("x", {-1, 3, -1, -1});
  b.random("stem_w", {channels, 3, 1, 1});
  b.random("stem_b", {channels});
  b.node("Conv", {"x", "stem_w", "stem_b"}, "c");
  b.node("HardSigmoid", {"c"}, "q");
  b.node("Mul", {"c", "q"}, "h");
}

/// h -> Mul -> Add -> v, by a number each.
void add_affine(ModelBuilder& b) {
  b.floats("s", {1}, {1.4F});
  b.floats("t", {}, {-0.4F});
  b.node("Mul", {"s", "h"}, "m");
  b.node("Add", {"m", "t"}, "v");
}

/// v -> GlobalAveragePool -> two convolutions -> a gate -> v x gate -> Conv -> y
void add_gate(ModelBuilder& b, int64_t channels) {
  b.random("g1_w", {16, channels, 1, 1});
  b.random("g2_w", {channels, 16, 1, 1});
  b.random("w", {16, channels, 1, 1});
  b.node("GlobalAveragePool", {"v"}, "g0");
  b.node("Conv", {"g0", "g1_w"}, "g1");
  b.node("Relu", {"g1"}, "g2");
  b.node("Conv", {"g2", "g2_w"}, "g3");
  b.node("HardSigmoid", {"g3"}, "g");
  b.node("Mul", {"v", "g"}, "e");
  b.node("Conv", {"e", "w"}, "y");
  b.output("y");
}

int64_t arithmetic(const model::Model& model) {
  return count_nodes(model, "Mul") + count_nodes(model, "Add");
}

TEST(KeepBlockedLayout, NormalizesBeforeAGate) {
  for (const bool as_nodes : {false, true}) {
    ModelBuilder b(9);
    add_stem(b, 32);
    add_affine(b);
    add_gate(b, 32);
    if (as_nodes) as_constant_nodes(b.model().graph);
    const auto result = run_pass(kLayoutPass, b.model(), {1, 3}, kBlocks16);
    EXPECT_EQ(result.outcome.changed, 2);
    EXPECT_EQ(count_nodes(result.model, "BatchNormalization"), 1);
    EXPECT_EQ(arithmetic(result.model), 2);  // the hard swish and the gate
    const auto again = run_pass(kLayoutPass, result.model, {3}, kBlocks16);
    EXPECT_EQ(again.outcome.changed, 0);
    EXPECT_TRUE(again.outcome.decisions.empty());
    const auto all = run_all_passes(b.model(), {3}, kBlocks16);
    EXPECT_EQ(count_nodes(all.model, "BatchNormalization"), 1);
  }
}

TEST(KeepBlockedLayout, NormalizesBeforePoolingThatSeveralRead) {
  ModelBuilder b(13);
  add_stem(b, 16);
  b.random("s", {16, 1, 1});
  b.random("t", {1, 16, 1, 1});
  b.node("Mul", {"h", "s"}, "m");
  b.node("Sub", {"t", "m"}, "d");
  b.node("Neg", {"d"}, "v");
  b.random("w", {16, 16, 1, 3});
  b.node("AveragePool", {"v"}, "p", {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
  b.node("Conv", {"p", "w"}, "y", {{"pads", Ints{0, 1, 0, 1}}});
  b.node("Tanh", {"p"}, "z");
  b.output("y");
  b.output("z");
  const auto result = run_pass(kLayoutPass, b.model(), {4, 5}, kBlocks16);
  EXPECT_EQ(result.outcome.changed, 3);
  EXPECT_EQ(count_nodes(result.model, "BatchNormalization"), 1);
}

TEST(KeepBlockedLayout, RefusesChannelsThatFillNoBlocks) {
  ModelBuilder b(13);
  add_stem(b, 24);
  add_affine(b);
  add_gate(b, 24);
  const auto result = run_pass(kLayoutPass, b.model(), {3}, kBlocks16);
  EXPECT_EQ(result.outcome.changed, 0);
  ASSERT_EQ(result.outcome.decisions.size(), 1U);
  EXPECT_EQ(result.outcome.decisions[0].subject, "v");
  EXPECT_EQ(result.outcome.decisions[0].reason, "its 24 channels fill no whole blocks of 16");
  EXPECT_EQ(run_pass(kLayoutPass, b.model(), {3}, {.channel_block = 8}).outcome.changed, 2);
  EXPECT_EQ(run_pass(kLayoutPass, b.model(), {3}, {.channel_block = 0}).outcome.changed, 0);
}

TEST(KeepBlockedLayout, RefusesWhereTheReaderLeavesTheLayout) {
  ModelBuilder b(13);
  add_stem(b, 16);
  add_affine(b);
  b.node("Softmax", {"v"}, "y", {{"axis", int64_t{1}}});
  b.output("y");
  const auto result = run_pass(kLayoutPass, b.model(), {3}, kBlocks16);
  EXPECT_EQ(result.outcome.changed, 0);
  ASSERT_FALSE(result.outcome.decisions.empty());
  EXPECT_EQ(result.outcome.decisions[0].reason, "what reads it leaves the blocked layout anyway");
}

TEST(KeepBlockedLayout, LeavesValuesThatAreNotInBlocks) {
  ModelBuilder b(13);
  b.input("h", {1, 16, -1, -1});
  add_affine(b);
  add_gate(b, 16);
  const auto result = run_pass(kLayoutPass, b.model(), {3}, kBlocks16);
  EXPECT_EQ(result.outcome.changed, 0);
  EXPECT_TRUE(result.outcome.decisions.empty());
}

TEST(KeepBlockedLayout, LeavesConstantsThatAreNotPerChannel) {
  ModelBuilder b(13);
  add_stem(b, 16);
  b.random("s", {1, 1, 4, 4});
  b.node("Mul", {"h", "s"}, "v");
  add_gate(b, 16);
  EXPECT_EQ(run_pass(kLayoutPass, b.model(), {4}, kBlocks16).outcome.changed, 0);
}

TEST(KeepBlockedLayout, LeavesOneProductThatOthersReadPlain) {
  ModelBuilder b(13);
  add_stem(b, 16);
  b.floats("s", {1}, {1.4F});
  b.node("Mul", {"h", "s"}, "v");
  add_gate(b, 16);
  EXPECT_EQ(run_pass(kLayoutPass, b.model(), {3}, kBlocks16).outcome.changed, 0);
}

}  // namespace
}  // namespace wattwise::optimize::testing
