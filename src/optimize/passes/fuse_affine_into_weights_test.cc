// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

constexpr char kFuseAffineIntoWeights[] = "fuse_affine_into_weights";
const std::vector<int64_t> kPadded = {1, 1, 1, 1};

int64_t elementwise(const model::Model& model) {
  int64_t count = 0;
  for (const char* op : {"Mul", "Div", "Add", "Sub", "Neg", "BatchNormalization"}) {
    count += count_nodes(model, op);
  }
  return count;
}

/// x [1, 6, n, n] -> Conv with 6 channels.
void add_convolution(ModelBuilder& b, const std::string& from, const std::string& to,
                     Attributes attributes) {
  b.random("w", {6, 6, 3, 3});
  b.random("b", {6});
  b.node("Conv", {from, "w", "b"}, to, std::move(attributes));
}

TEST(FuseAffineIntoWeights, TakesWhatFollowsAConvolutionInEveryOperandOrder) {
  for (const bool as_nodes : {false, true}) {
    for (const int64_t opset : {9, 13}) {
      ModelBuilder b(opset);
      b.input("x", {1, 6, -1, -1});
      add_convolution(b, "x", "c", {{"pads", kPadded}});
      b.random("s1", {6, 1, 1});
      b.random("t1", {1, 6, 1, 1});
      b.floats("s2", {1}, {0.5F});
      b.floats("t2", {}, {3});
      b.node("Mul", {"s1", "c"}, "v1");
      b.node("Add", {"v1", "t1"}, "v2");
      b.node("Sub", {"t2", "v2"}, "v3");
      b.node("Div", {"v3", "s2"}, "v4");
      b.node("Neg", {"v4"}, "y");
      b.output("y");
      if (as_nodes) as_constant_nodes(b.model().graph);
      const auto result = run_pass(kFuseAffineIntoWeights, b.model(), {4, 7});
      EXPECT_EQ(result.outcome.changed, 5);
      EXPECT_EQ(elementwise(result.model), 0);
      EXPECT_EQ(run_pass(kFuseAffineIntoWeights, result.model).outcome.changed, 0);
    }
  }
}

TEST(FuseAffineIntoWeights, TakesBatchNormalizationAndMakesTheBias) {
  ModelBuilder b(9);
  b.input("x", {2, 4, -1, -1});
  b.random("w", {6, 2, 3, 3});
  b.random("scale", {6});
  b.random("shift", {6});
  b.random("mean", {6});
  b.floats("variance", {6}, {1, 2, 3, 4, 0.5F, 0.1F});
  b.node("Conv", {"x", "w"}, "c", {{"group", int64_t{2}}});
  b.node("BatchNormalization", {"c", "scale", "shift", "mean", "variance"}, "y",
         {{"epsilon", 1e-3F}});
  b.output("y");
  const auto result = run_pass(kFuseAffineIntoWeights, b.model(), {5});
  EXPECT_EQ(count_nodes(result.model, "BatchNormalization"), 0);
  EXPECT_EQ(result.model.graph.nodes[0].inputs.size(), 3U);
}

TEST(FuseAffineIntoWeights, KnowsTheLayoutOfTransposedConvolutions) {
  ModelBuilder b(13);
  b.input("x", {1, 6, -1, -1});
  b.random("w", {6, 4, 3, 3});
  b.random("before", {1, 6, 1, 1});
  b.random("after", {8, 1, 1});
  b.random("shift", {8, 1, 1});
  b.node("Mul", {"x", "before"}, "m");
  b.node("ConvTranspose", {"m", "w"}, "c",
         {{"group", int64_t{2}}, {"strides", std::vector<int64_t>{2, 2}}, {"pads", kPadded}});
  b.node("Mul", {"c", "after"}, "v");
  b.node("Add", {"v", "shift"}, "y");
  b.output("y");
  const auto result = run_pass(kFuseAffineIntoWeights, b.model(), {4});
  EXPECT_EQ(elementwise(result.model), 0);
}

TEST(FuseAffineIntoWeights, LeavesTheShiftInFrontOfATransposedConvolution) {
  ModelBuilder b(13);
  b.input("x", {1, 6, -1, -1});
  b.random("w", {6, 4, 3, 3});
  b.random("shift", {6, 1, 1});
  b.node("Add", {"x", "shift"}, "m");
  b.node("ConvTranspose", {"m", "w"}, "y");
  b.output("y");
  EXPECT_EQ(run_pass(kFuseAffineIntoWeights, b.model(), {4}).outcome.changed, 0);
}

TEST(FuseAffineIntoWeights, TakesWhatPrecedesAnUnpaddedGroupedConvolution) {
  ModelBuilder b(13);
  b.input("x", {1, 6, -1, -1});
  b.random("w", {4, 3, 3, 3});
  b.random("s", {6, 1, 1});
  b.random("t", {1, 6, 1, 1});
  b.node("Mul", {"x", "s"}, "m");
  b.node("Add", {"m", "t"}, "a");
  b.node("Conv", {"a", "w"}, "y", {{"group", int64_t{2}}, {"auto_pad", std::string("VALID")}});
  b.output("y");
  EXPECT_EQ(elementwise(run_pass(kFuseAffineIntoWeights, b.model(), {5}).model), 0);
}

/// x -> Mul -> Add -> padded Conv.
ModelBuilder padded(int64_t channels) {
  ModelBuilder b(13);
  b.input("x", {1, channels, -1, -1});
  b.random("w", {channels, 1, 3, 3});
  b.floats("s", {1}, {0.3F});
  b.floats("t", {1}, {-0.7F});
  b.node("Mul", {"s", "x"}, "m");
  b.node("Add", {"m", "t"}, "a");
  b.node("Conv", {"a", "w"}, "y", {{"group", channels}, {"pads", kPadded}});
  b.output("y");
  return b;
}

TEST(FuseAffineIntoWeights, KeepsOnlyTheShiftBeforePadding) {
  const auto result = run_pass(kFuseAffineIntoWeights, padded(6).model(), {5});
  EXPECT_EQ(count_nodes(result.model, "Add"), 1);
  EXPECT_EQ(elementwise(result.model), 1);
  EXPECT_EQ(run_pass(kFuseAffineIntoWeights, result.model).outcome.changed, 0);
}

TEST(FuseAffineIntoWeights, WritesABatchNormalizationWhereTheLayoutIsBlocked) {
  const auto result =
      run_pass(kFuseAffineIntoWeights, padded(16).model(), {5}, {.channel_block = 16});
  EXPECT_EQ(count_nodes(result.model, "BatchNormalization"), 1);
  EXPECT_EQ(elementwise(result.model), 1);
  EXPECT_EQ(
      run_pass(kFuseAffineIntoWeights, result.model, {5}, {.channel_block = 16}).outcome.changed,
      0);
  const auto flat = run_pass(kFuseAffineIntoWeights, padded(16).model(), {5}, {.channel_block = 0});
  EXPECT_EQ(count_nodes(flat.model, "BatchNormalization"), 0);
}

TEST(FuseAffineIntoWeights, FoldsIntoGemmWhateverIsTransposed) {
  for (const int64_t transposed : {0, 1}) {
    ModelBuilder b(13);
    b.input("x", transposed ? std::vector<int64_t>{5, 3} : std::vector<int64_t>{3, 5});
    b.random("before", transposed ? std::vector<int64_t>{5, 1} : std::vector<int64_t>{5});
    b.random("w", transposed ? std::vector<int64_t>{4, 5} : std::vector<int64_t>{5, 4});
    b.random("c", {1, 4});
    b.random("after", {4});
    b.floats("shift", {1, 1}, {0.25F});
    b.node("Mul", {"x", "before"}, "m");
    b.node("Add", {"m", "shift"}, "a");
    b.node("Gemm", {"a", "w", "c"}, "g",
           {{"transA", transposed}, {"transB", transposed}, {"alpha", 0.5F}, {"beta", 2.0F}});
    b.node("Mul", {"g", "after"}, "h");
    b.node("Sub", {"h", "shift"}, "y");
    b.output("y");
    EXPECT_EQ(elementwise(run_pass(kFuseAffineIntoWeights, b.model()).model), 0) << transposed;
  }
}

TEST(FuseAffineIntoWeights, LeavesOneAddBehindMatMul) {
  ModelBuilder b(13);
  b.input("x", {2, -1, 5});
  b.random("before", {5});
  b.random("w", {5, 4});
  b.random("bias", {4});
  b.floats("half", {}, {0.5F});
  b.node("Mul", {"x", "before"}, "m");
  b.node("Sub", {"m", "before"}, "n");
  b.node("MatMul", {"n", "w"}, "p");
  b.node("Add", {"bias", "p"}, "a");
  b.node("Mul", {"a", "half"}, "y");
  b.output("y");
  PassResult result = run_pass(kFuseAffineIntoWeights, b.model());
  result = run_pass(kFuseAffineIntoWeights, result.model);
  EXPECT_EQ(count_nodes(result.model, "Add"), 1);
  EXPECT_EQ(elementwise(result.model), 1);
  EXPECT_EQ(run_pass(kFuseAffineIntoWeights, result.model).outcome.changed, 0);
}

TEST(FuseAffineIntoWeights, GoesIntoAllReadersOrNone) {
  for (const bool other_reader : {false, true}) {
    ModelBuilder b(13);
    b.input("x", {2, 5});
    b.random("s", {5});
    b.random("w1", {5, 4});
    b.random("w2", {5, 3});
    b.node("Mul", {"x", "s"}, "m");
    b.node("MatMul", {"m", "w1"}, "y1");
    b.node("MatMul", {"m", "w2"}, "y2");
    if (other_reader) b.node("Relu", {"m"}, "y3");
    b.output("y1");
    b.output("y2");
    if (other_reader) b.output("y3");
    EXPECT_EQ(count_nodes(run_pass(kFuseAffineIntoWeights, b.model()).model, "Mul"),
              other_reader ? 1 : 0);
  }
}

TEST(FuseAffineIntoWeights, LeavesValuesThatOthersReadAndOutputs) {
  for (const bool output : {false, true}) {
    ModelBuilder b(13);
    b.input("x", {1, 6, -1, -1});
    add_convolution(b, "x", "c", {});
    b.floats("s", {}, {2});
    b.node("Mul", {"c", "s"}, "y");
    b.output("y");
    if (output) {
      b.output("c");
    } else {
      b.node("Relu", {"c"}, "z");
      b.output("z");
    }
    EXPECT_EQ(run_pass(kFuseAffineIntoWeights, b.model(), {4}).outcome.changed, 0);
  }
}

TEST(FuseAffineIntoWeights, LeavesConstantsThatAreNotPerChannelOrWidenTheValue) {
  const std::vector<std::vector<int64_t>> shapes = {
      {4, 4}, {1, 1, 1, 4}, {1, 1, 6, 1, 1}, {2, 1, 1, 1}};
  for (const auto& shape : shapes) {
    ModelBuilder b(13);
    b.input("x", {1, 6, 4, 4});
    b.random("k", {6, 6, 1, 1});
    b.random("s", shape);
    b.node("Conv", {"x", "k"}, "c");
    b.node("Mul", {"c", "s"}, "y");
    b.output("y");
    EXPECT_EQ(run_pass(kFuseAffineIntoWeights, b.model()).outcome.changed, 0);
  }
  ModelBuilder widened(13);
  widened.input("x", {1, 1, 4, 4});
  widened.random("k", {2, 6, 1, 1});
  widened.random("s", {6, 1, 1});
  widened.node("Mul", {"x", "s"}, "m");
  widened.node("Conv", {"m", "k"}, "y");
  widened.output("y");
  EXPECT_EQ(run_pass(kFuseAffineIntoWeights, widened.model()).outcome.changed, 0);
}

TEST(FuseAffineIntoWeights, StoresLargeSharedWeightsOnlyOnce) {
  for (const int64_t size : {8, 128}) {
    ModelBuilder b(13);
    b.input("x", {2, size});
    b.random("w", {size, size});
    b.floats("s", {}, {2});
    b.node("MatMul", {"x", "w"}, "h");
    b.node("Mul", {"h", "s"}, "m");
    b.node("MatMul", {"m", "w"}, "y");
    b.output("y");
    const auto result = run_pass(kFuseAffineIntoWeights, b.model());
    EXPECT_EQ(count_nodes(result.model, "Mul"), size == 8 ? 0 : 1);
    EXPECT_EQ(result.outcome.decisions.empty(), size == 8);
  }
}

TEST(FuseAffineIntoWeights, LeavesALayerNormalizationWhole) {
  ModelBuilder b(13);
  b.input("x", {2, 3, 8});
  b.floats("two", {}, {2});
  b.floats("epsilon", {}, {1e-5F});
  b.random("gamma", {8});
  b.random("beta", {8});
  b.random("w", {8, 4});
  const Attributes last = {{"axes", std::vector<int64_t>{-1}}};
  b.node("ReduceMean", {"x"}, "mean", last);
  b.node("Sub", {"x", "mean"}, "d");
  b.node("Pow", {"d", "two"}, "d2");
  b.node("ReduceMean", {"d2"}, "var", last);
  b.node("Add", {"var", "epsilon"}, "ve");
  b.node("Sqrt", {"ve"}, "sd");
  b.node("Div", {"d", "sd"}, "n");
  b.node("Mul", {"n", "gamma"}, "g");
  b.node("Add", {"g", "beta"}, "l");
  b.node("MatMul", {"l", "w"}, "y");
  b.output("y");
  EXPECT_EQ(run_pass(kFuseAffineIntoWeights, b.model()).outcome.changed, 0);
}

TEST(FuseAffineIntoWeights, LeavesANumberThatRounds) {
  ModelBuilder b(13);
  b.input("x", {1, 6, -1, -1});
  add_convolution(b, "x", "c", {});
  b.floats("magic", {}, {12582912});
  b.node("Add", {"c", "magic"}, "a");
  b.node("Sub", {"a", "magic"}, "y");
  b.output("y");
  EXPECT_EQ(run_pass(kFuseAffineIntoWeights, b.model(), {4}).outcome.changed, 0);
}

}  // namespace
}  // namespace wattwise::optimize::testing
