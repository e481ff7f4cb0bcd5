// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "model/walk.h"
#include "optimize/pass_testing.h"

namespace wattwise::optimize {
namespace {

using testing::count_nodes;
using testing::kBlocks16;
using testing::kBlocks8;
using testing::ModelBuilder;
using testing::run_pass;
using Ints = std::vector<int64_t>;

/// x -> Conv -> stem with this many channels.
void add_stem(ModelBuilder& b, int64_t channels, const Ints& shape = {1, 3, 16, 16}) {
  b.input("x", shape);
  b.random("stem_w", {channels, 3, 3, 3});
  b.random("stem_b", {channels});
  b.node("Conv", {"x", "stem_w", "stem_b"}, "stem_c", {{"pads", Ints{1, 1, 1, 1}}});
  b.node("Relu", {"stem_c"}, "stem");
}

/// Depthwise and 1x1 convolution, the latter's output `name`.
void add_block(ModelBuilder& b, const std::string& input, const std::string& name, Ints channels) {
  b.random(name + "_dw", {channels[0], 1, 3, 3});
  b.random(name + "_pw", {channels[1], channels[0], 1, 1});
  b.random(name + "_pb", {channels[1]});
  b.node("Conv", {input, name + "_dw"}, name + "_d",
         {{"pads", Ints{1, 1, 1, 1}}, {"group", channels[0]}});
  b.node("Conv", {name + "_d", name + "_pw", name + "_pb"}, name);
}

/// A last convolution to three channels.
void add_head(ModelBuilder& b, const std::string& input, int64_t channels) {
  b.random("head_w", {3, channels, 1, 1});
  b.node("Conv", {input, "head_w"}, "y");
  b.output("y");
}

/// input ++ zeros[count] -> name
void add_zeros(ModelBuilder& b, const std::string& input, const std::string& name, int64_t count) {
  b.floats(name + "_zeros", {1, count, 16, 16},
           std::vector<float>(static_cast<size_t>(count * 256)));
  b.node("Concat", {input, name + "_zeros"}, name, {{"axis", int64_t{1}}});
}

Ints weight_shape(const model::Model& model, const std::string& output) {
  for (const model::Node& node : model.graph.nodes) {
    if (node.outputs[0] != output) continue;
    for (const model::Constant& constant : model.graph.initializers) {
      if (constant.name == node.inputs[1]) return constant.shape;
    }
  }
  return {};
}

/// 6 -> 6 + zeros[8 - 6] with a shortcut; both fill one block of eight.
ModelBuilder shortcut_model(int64_t narrow, int64_t wide) {
  ModelBuilder b(12);
  add_stem(b, narrow);
  add_block(b, "stem", "p", {narrow, wide});
  add_zeros(b, "stem", "widened", wide - narrow);
  b.node("Add", {"p", "widened"}, "sum");
  b.node("Relu", {"sum"}, "r");
  add_head(b, "r", wide);
  return b;
}

TEST(PadChannels, FillsBlocksWhereTheLayoutWouldBeLeft) {
  ModelBuilder b(12);
  add_stem(b, 10);
  add_block(b, "stem", "p", {10, 10});
  b.node("Add", {"p", "stem"}, "sum");
  add_block(b, "sum", "q", {10, 14});
  b.node("MaxPool", {"q"}, "m", {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
  add_head(b, "m", 14);
  const auto result = run_pass("pad_channels", b.model(), {1}, kBlocks8);
  EXPECT_EQ(result.outcome.changed, 6);
  EXPECT_EQ(weight_shape(result.model, "stem_c"), (Ints{16, 3, 3, 3}));
  EXPECT_EQ(weight_shape(result.model, "p_d"), (Ints{16, 1, 3, 3}));
  EXPECT_EQ(weight_shape(result.model, "q"), (Ints{16, 16, 1, 1}));
  EXPECT_EQ(weight_shape(result.model, "y"), (Ints{3, 16, 1, 1}));
  ASSERT_EQ(result.outcome.decisions.size(), 1U);
  EXPECT_EQ(result.outcome.decisions[0].action, "pad_channels");
  EXPECT_EQ(run_pass("pad_channels", result.model, {1}, kBlocks8).outcome.changed, 0);
}

TEST(PadChannels, WorksOnConstantNodesAndFreeSizes) {
  ModelBuilder b(12);
  add_stem(b, 10, {-1, 3, -1, 16});
  add_block(b, "stem", "p", {10, 10});
  add_head(b, "p", 10);
  testing::as_constant_nodes(b.model().graph);
  EXPECT_GT(run_pass("pad_channels", b.model(), {4, 7}, kBlocks8).outcome.changed, 0);
}

TEST(PadChannels, AppendedZerosAreThePaddingItself) {
  ModelBuilder b = shortcut_model(12, 16);
  const auto result = run_pass("pad_channels", b.model(), {1}, kBlocks16);
  EXPECT_EQ(count_nodes(result.model, "Concat"), 0);
  EXPECT_EQ(count_nodes(result.model, "Conv"), 4);
}

TEST(PadChannels, AFurtherBlockOfAShortcutSplitsTheConvolution) {
  ModelBuilder b = shortcut_model(16, 20);
  const auto result = run_pass("pad_channels", b.model(), {1}, kBlocks16);
  EXPECT_EQ(count_nodes(result.model, "Concat"), 1);
  EXPECT_EQ(count_nodes(result.model, "Relu"), 3);
  EXPECT_EQ(count_nodes(result.model, "Conv"), 5);
  EXPECT_EQ(weight_shape(result.model, "y"), (Ints{3, 32, 1, 1}));
  EXPECT_EQ(run_pass("pad_channels", result.model, {1}, kBlocks16).outcome.changed, 0);
}

TEST(PadChannels, AFurtherBlockOfAnythingElseComesFromAnIdentity) {
  ModelBuilder b(12);
  add_stem(b, 16);
  b.integers("pads", {8}, {0, 0, 0, 0, 0, 4, 0, 0});
  b.node("Pad", {"stem", "pads"}, "widened");
  b.node("Tanh", {"widened"}, "t");
  add_block(b, "t", "p", {20, 20});
  add_head(b, "p", 20);
  const auto result = run_pass("pad_channels", b.model(), {1}, kBlocks16);
  EXPECT_EQ(count_nodes(result.model, "Pad"), 0);
  EXPECT_EQ(weight_shape(result.model, "widened"), (Ints{32, 16, 1, 1}));
}

TEST(PadChannels, ElementwiseConstantsGrowToo) {
  ModelBuilder b(12);
  add_stem(b, 10);
  add_block(b, "stem", "p", {10, 10});
  b.random("slope", {10, 1, 1});
  b.random("scale", {1, 10, 1, 1});
  b.floats("three", {}, {3});
  b.node("PRelu", {"p", "slope"}, "pr");
  b.node("Mul", {"pr", "scale"}, "m");
  b.node("Add", {"m", "three"}, "a");
  b.node("Sigmoid", {"a"}, "s");
  b.node("Mul", {"s", "m"}, "sm");
  add_block(b, "sm", "q", {10, 10});
  add_head(b, "q", 10);
  const auto result = run_pass("pad_channels", b.model(), {1}, kBlocks8);
  EXPECT_EQ(result.outcome.changed, 8);
}

TEST(PadChannels, AppendedZerosStayWhereThePaddingWouldNotBeZero) {
  ModelBuilder b(12);
  add_stem(b, 10);
  b.node("Sigmoid", {"stem"}, "s");
  add_zeros(b, "s", "widened", 4);
  add_block(b, "widened", "p", {14, 10});
  add_head(b, "p", 10);
  const auto result = run_pass("pad_channels", b.model(), {1}, kBlocks8);
  EXPECT_EQ(count_nodes(result.model, "Concat"), 1);
}

TEST(PadChannels, WhatOthersSeeKeepsItsChannels) {
  ModelBuilder b(12);
  add_stem(b, 10);
  add_block(b, "stem", "p", {10, 10});
  b.node("Transpose", {"p"}, "y", {{"perm", Ints{0, 2, 3, 1}}});
  b.output("y");
  b.output("stem");
  const auto result = run_pass("pad_channels", b.model(), {1}, kBlocks8);
  EXPECT_EQ(result.outcome.changed, 0);
}

TEST(PadChannels, AnInnerGraphThatReadsAValueHoldsIt) {
  ModelBuilder b(12);
  add_stem(b, 10);
  add_block(b, "stem", "p", {10, 10});
  add_head(b, "p", 10);
  model::Graph branch;
  branch.name = "branch";
  model::Value inner;
  inner.name = "inner";
  inner.type = DataType::kFloat;
  branch.outputs.push_back(inner);
  model::Node relu;
  relu.op_type = "Relu";
  relu.inputs = {"stem"};
  relu.outputs = {"inner"};
  branch.nodes.push_back(relu);
  b.input("which", {}, DataType::kBool);
  b.node("If", {"which"}, "z",
         {{"then_branch", std::make_shared<model::Graph>(branch)},
          {"else_branch", std::make_shared<model::Graph>(branch)}});
  b.output("z");
  const auto result = run_pass("pad_channels", b.model(), {1}, kBlocks8);
  EXPECT_EQ(weight_shape(result.model, "stem_c"), (Ints{10, 3, 3, 3}));
}

TEST(PadChannels, RefusesWhatWouldCostMore) {
  ModelBuilder b(12);
  add_stem(b, 4);
  b.random("w", {4, 4, 3, 3});
  b.node("Conv", {"stem", "w"}, "c");
  add_head(b, "c", 4);
  const auto result = run_pass("pad_channels", b.model(), {1}, kBlocks16);
  EXPECT_EQ(result.outcome.changed, 0);
  ASSERT_EQ(result.outcome.decisions.size(), 1U);
  EXPECT_EQ(result.outcome.decisions[0].action, "refuse");
}

TEST(PadChannels, LeavesProvidersWithoutBlocksAlone) {
  ModelBuilder b = shortcut_model(12, 16);
  EXPECT_EQ(run_pass("pad_channels", b.model(), {1}, {0}).outcome.changed, 0);
}

TEST(PadChannels, AgreesWithTheOtherPasses) {
  ModelBuilder b = shortcut_model(16, 20);
  const auto result = testing::run_all_passes(b.model(), {1}, kBlocks16);
  EXPECT_EQ(count_nodes(result.model, "Concat"), 1);
}

}  // namespace
}  // namespace wattwise::optimize
