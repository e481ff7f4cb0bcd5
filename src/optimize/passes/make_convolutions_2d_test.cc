// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "model/walk.h"
#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

using Ints = std::vector<int64_t>;

struct Link {
  std::string input;
  std::string output;
};

/// A convolution of `channels` to as many, three places wide.
void add_conv(ModelBuilder& b, const Link& link, int64_t channels,
              Attributes attributes = {{"pads", Ints{1, 1}}}) {
  const auto& [input, name] = link;
  b.random(name + "_w", {channels, channels, 3});
  b.random(name + "_b", {channels});
  b.node("Conv", {input, name + "_w", name + "_b"}, name, std::move(attributes));
}

PassResult run(const ModelBuilder& b, TargetFacts target = kBlocks8) {
  return run_pass("make_convolutions_2d", const_cast<ModelBuilder&>(b).model(), {4, 9}, target);
}

/// Ranks of the weights of all convolutions.
std::vector<size_t> weight_ranks(const model::Model& model) {
  std::vector<size_t> ranks;
  for (const model::Node& node : model.graph.nodes) {
    if (!node.is("Conv")) continue;
    for (const model::Constant& constant : model.graph.initializers) {
      if (constant.name == node.inputs[1]) ranks.push_back(constant.shape.size());
    }
  }
  return ranks;
}

TEST(MakeConvolutions2d, RaisesAChainWithOneReshapeAtEachEnd) {
  ModelBuilder b(13);
  b.input("x", {-1, 64, -1});
  add_conv(b, {"x", "a"}, 64);
  b.node("Relu", {"a"}, "r");
  add_conv(b, {"r", "c"}, 64, {{"strides", Ints{2}}, {"pads", Ints{2, 1}}, {"dilations", Ints{2}}});
  b.node("Relu", {"c"}, "y");
  b.output("y");
  const auto result = run(b);
  EXPECT_EQ(result.outcome.changed, 4);
  EXPECT_EQ(weight_ranks(result.model), (std::vector<size_t>{4, 4}));
  EXPECT_EQ(count_nodes(result.model, "Unsqueeze"), 1);
  EXPECT_EQ(count_nodes(result.model, "Squeeze"), 1);
}

TEST(MakeConvolutions2d, RaisesWhatLiesBetween) {
  ModelBuilder b(11);
  b.input("x", {1, 96, -1});
  b.input("bias", {-1});
  b.random("scale", {96, 1});
  b.random("along", {1});
  b.random("slope", {1, 96, 1});
  add_conv(b, {"x", "a"}, 96, {{"auto_pad", std::string("SAME_UPPER")}});
  b.node("Mul", {"a", "scale"}, "m");
  b.node("Add", {"m", "along"}, "p");
  b.node("PRelu", {"p", "slope"}, "q");
  b.node("Concat", {"q", "a"}, "twice", {{"axis", int64_t{-1}}});
  b.node("MaxPool", {"twice"}, "pooled", {{"kernel_shape", Ints{2}}, {"strides", Ints{2}}});
  add_conv(b, {"pooled", "c"}, 96);
  b.node("Add", {"c", "bias"}, "sum");
  b.node("GlobalAveragePool", {"c"}, "mean");
  b.node("Mul", {"sum", "mean"}, "y");
  b.output("y");
  b.output("pooled");
  const auto result = run_pass("make_convolutions_2d", b.model(), {4, 6}, kBlocks8);
  EXPECT_EQ(result.outcome.changed, 10);
  EXPECT_EQ(count_nodes(result.model, "Squeeze"), 2);
}

TEST(MakeConvolutions2d, RaisesSlicesOfChannelsAndInnerGraphs) {
  ModelBuilder inner(13);
  add_conv(inner, {"x", "a"}, 64);
  inner.integers("begin", {1}, {0});
  inner.integers("end", {1}, {32});
  inner.integers("axis", {1}, {1});
  inner.node("Relu", {"a"}, "r");
  add_conv(inner, {"r", "c"}, 64);
  inner.node("Slice", {"c", "begin", "end", "axis"}, "part");
  inner.node("Sqrt", {"part"}, "root");
  inner.node("Abs", {"root"}, "inner_y");
  inner.output("inner_y");
  ModelBuilder other(13);
  other.node("Identity", {"half"}, "other_y");
  other.output("other_y");
  ModelBuilder b(13);
  b.input("x", {1, 64, -1});
  b.input("half", {1, 32, -1});
  b.input("condition", {}, DataType::kBool);
  b.node("If", {"condition"}, "y",
         {{"then_branch", std::make_shared<model::Graph>(inner.model().graph)},
          {"else_branch", std::make_shared<model::Graph>(other.model().graph)}});
  b.output("y");
  EXPECT_EQ(run(b).outcome.changed, 0);  // two nodes that leave the layout, two reshapes
  ModelBuilder wide = b;
  model::for_each_graph(wide.model().graph, [](model::Graph& graph, const std::string&) {
    std::erase_if(graph.nodes, [](const model::Node& node) { return node.is("Sqrt"); });
    for (model::Node& node : graph.nodes) {
      if (node.is("Abs")) node.inputs[0] = "part";
    }
  });
  EXPECT_EQ(run(wide).outcome.changed, 5);
}

TEST(MakeConvolutions2d, DepthwiseConvolutionsAloneAreWorthIt) {
  ModelBuilder b(9);
  b.input("x", {2, 16, -1});
  b.random("w", {16, 1, 5});
  b.node("Conv", {"x", "w"}, "y", {{"group", int64_t{16}}});
  b.output("y");
  const auto result = run_pass("make_convolutions_2d", b.model(), {6, 9}, kBlocks8);
  EXPECT_EQ(weight_ranks(result.model), (std::vector<size_t>{4}));
}

TEST(MakeConvolutions2d, KeepsSmallOnesWindowsOfOnePlaceAndOtherTargets) {
  ModelBuilder b(13);
  b.input("x", {1, 16, -1});
  add_conv(b, {"x", "y"}, 16);
  b.output("y");
  EXPECT_EQ(run(b).outcome.changed, 0);
  ModelBuilder points(13);
  points.input("x", {1, 256, -1});
  points.random("w", {256, 256, 1});
  points.node("Conv", {"x", "w"}, "y");
  points.output("y");
  EXPECT_EQ(run(points).outcome.changed, 0);
  ModelBuilder wide(13);
  wide.input("x", {1, 96, -1});
  add_conv(wide, {"x", "y"}, 96);
  wide.output("y");
  EXPECT_EQ(run(wide).outcome.changed, 1);
  EXPECT_EQ(run(wide, TargetFacts{0}).outcome.changed, 0);
}

TEST(MakeConvolutions2d, KeepsWeightsThatAreFedAndPlanes) {
  ModelBuilder b(13);
  b.input("x", {1, 96, -1});
  b.input("w", {96, 96, 3});
  b.node("Conv", {"x", "w"}, "y");
  b.output("y");
  EXPECT_EQ(run(b).outcome.changed, 0);
}

TEST(MakeConvolutions2d, ReshapesAtTheBordersMerge) {
  ModelBuilder b(13);
  b.input("x", {-1, -1});
  b.integers("one", {1}, {1});
  b.integers("rows", {3}, {1, -1, 96});
  b.random("w", {96, 1, 3});
  b.node("Unsqueeze", {"x", "one"}, "line");
  b.node("Conv", {"line", "w"}, "a", {{"pads", Ints{1, 1}}});
  add_conv(b, {"a", "c"}, 96);
  b.node("Reshape", {"c", "rows"}, "y");
  b.output("y");
  const auto result = run_all_passes(b.model(), {4, 6}, kBlocks8);
  EXPECT_EQ(result.model.graph.nodes.size(), 4U);
  EXPECT_EQ(weight_ranks(result.model), (std::vector<size_t>{4, 4}));
}

}  // namespace
}  // namespace wattwise::optimize::testing
