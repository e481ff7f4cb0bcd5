// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize {
namespace {

using testing::count_nodes;
using testing::ModelBuilder;
using testing::run_pass;
using Ints = std::vector<int64_t>;

const Ints kToLast{0, 2, 3, 1};
const Ints kToFirst{0, 3, 1, 2};

void transpose(ModelBuilder& b, const std::string& input, const std::string& output,
               const Ints& permutation) {
  b.node("Transpose", {input}, output, {{"perm", permutation}});
}

/// How many Transposes are left of the model.
int64_t left(ModelBuilder& b, std::initializer_list<int64_t> sizes = {3}) {
  const auto result = run_pass("push_transposes", b.model(), sizes);
  EXPECT_EQ(run_pass("push_transposes", result.model, sizes).outcome.changed, 0);
  return count_nodes(result.model, "Transpose");
}

TEST(PushTransposes, PairsCancelAndChainsMerge) {
  ModelBuilder b(13);
  b.input("x", {-1, 4, 5, 6});
  transpose(b, "x", "a", kToLast);
  transpose(b, "a", "b", kToFirst);
  b.node("Relu", {"b"}, "y");
  b.output("y");
  transpose(b, "x", "c", {1, 0, 2, 3});
  transpose(b, "c", "z", {0, 1, 3, 2});
  b.output("z");
  EXPECT_EQ(left(b, {1, 3}), 1);
}

TEST(PushTransposes, PassesElementwiseNodesAndTransposesConstants) {
  ModelBuilder b(13);
  b.input("x", {-1, 4, 5, 6});
  b.random("row", {4});
  b.random("plane", {5, 6, 4});
  b.floats("six", {1, 1}, {6});
  transpose(b, "x", "a", kToLast);
  b.node("Add", {"a", "row"}, "s");
  b.node("Mul", {"plane", "s"}, "m");
  b.node("Min", {"m", "six"}, "l");
  b.node("LeakyRelu", {"l"}, "r");
  transpose(b, "r", "y", kToFirst);
  b.output("y");
  EXPECT_EQ(left(b), 0);
}

TEST(PushTransposes, JoinsSeveralSourcesAndAdaptsAxes) {
  ModelBuilder b(13);
  b.input("x", {2, 4, 5, 6});
  b.input("w", {2, 3, 5, 6});
  b.random("k", {2, 5, 6, 2});
  transpose(b, "x", "a", kToLast);
  transpose(b, "w", "c", kToLast);
  b.node("Concat", {"a", "c", "k"}, "d", {{"axis", int64_t{-1}}});
  b.integers("pads", {8}, {0, 1, 0, 0, 0, 0, 2, 1});
  b.node("Pad", {"d", "pads"}, "p");
  b.integers("from", {2}, {1, 2});
  b.integers("to", {2}, {4, 9});
  b.integers("axes", {2}, {-3, 3});
  b.node("Slice", {"p", "from", "to", "axes"}, "s");
  b.node("ReduceMean", {"s"}, "m", {{"axes", Ints{1}}});
  b.node("Softmax", {"m"}, "f", {{"axis", int64_t{1}}});
  transpose(b, "f", "y", kToFirst);
  b.output("y");
  EXPECT_EQ(left(b), 0);
}

TEST(PushTransposes, AReductionOverThePlaneEndsIt) {
  ModelBuilder b(13);
  b.input("x", {2, 4, 5, 6});
  transpose(b, "x", "a", kToLast);
  b.node("Relu", {"a"}, "r");
  b.node("ReduceMean", {"r"}, "m", {{"axes", Ints{1, 2}}, {"keepdims", int64_t{0}}});
  b.output("m");
  EXPECT_EQ(left(b), 0);
}

TEST(PushTransposes, SqueezeAndSplitChangeWhatIsLeft) {
  ModelBuilder b(13);
  b.input("x", {2, 4, 1, 6});
  transpose(b, "x", "a", kToLast);
  b.integers("one", {1}, {1});
  b.node("Squeeze", {"a", "one"}, "s");
  auto& split = b.node("Split", {"s"}, "p", {{"axis", int64_t{2}}});
  split.outputs = {"p", "q"};
  b.node("Mul", {"p", "q"}, "m");
  transpose(b, "m", "y", {0, 2, 1});
  b.output("y");
  EXPECT_EQ(left(b), 0);
}

TEST(PushTransposes, WritesItAnewForReadersThatNeedTheOrder) {
  ModelBuilder b(13);
  b.input("x", {2, 4, 5, 6});
  transpose(b, "x", "a", kToLast);
  b.node("Relu", {"a"}, "r");
  b.node("Flatten", {"r"}, "f");
  transpose(b, "r", "b", kToFirst);
  b.node("Exp", {"b"}, "y");
  transpose(b, "r", "c", kToFirst);
  b.node("Neg", {"c"}, "z");
  for (const char* name : {"f", "y", "z", "r"}) b.output(name);
  EXPECT_EQ(left(b), 1);
}

TEST(PushTransposes, StaysWhereNothingIsGained) {
  ModelBuilder b(13);
  b.input("x", {2, 4, 5, 6});
  b.input("w", {2, 5, 6, 4});
  transpose(b, "x", "a", kToLast);
  b.node("Add", {"a", "w"}, "s");
  b.node("Flatten", {"s"}, "y");
  b.output("y");
  transpose(b, "x", "c", kToLast);
  b.node("Relu", {"c"}, "r");
  transpose(b, "r", "z", kToLast);
  b.output("z");
  const auto result = run_pass("push_transposes", b.model(), {3});
  EXPECT_EQ(count_nodes(result.model, "Transpose"), 2);
}

TEST(PushTransposes, OperandsOfOtherRankStopIt) {
  ModelBuilder b(13);
  b.input("x", {2, 4, 5, 6});
  b.input("w", {4});
  transpose(b, "x", "a", kToLast);
  b.node("Add", {"a", "w"}, "s");
  transpose(b, "s", "y", kToFirst);
  b.output("y");
  EXPECT_EQ(left(b), 2);
}

TEST(PushTransposes, OldSoftmaxFlattensAndStopsIt) {
  ModelBuilder b(11);
  b.input("x", {2, 4, 5, 6});
  transpose(b, "x", "a", kToLast);
  b.node("Softmax", {"a"}, "s", {{"axis", int64_t{2}}});
  transpose(b, "s", "y", kToFirst);
  b.output("y");
  EXPECT_EQ(left(b), 2);
}

TEST(PushTransposes, WorksInInnerGraphsAndKeepsWhatTheyRead) {
  ModelBuilder b(13);
  b.input("x", {2, 4, 5, 6});
  b.input("which", {}, DataType::kBool);
  transpose(b, "x", "a", kToLast);
  b.node("Relu", {"a"}, "r");
  transpose(b, "r", "z", kToFirst);
  ModelBuilder inner(13);
  transpose(inner, "r", "i", kToFirst);
  inner.node("Neg", {"i"}, "n");
  transpose(inner, "n", "o", kToLast);
  inner.output("o");
  b.node("If", {"which"}, "y",
         {{"then_branch", std::make_shared<model::Graph>(inner.model().graph)},
          {"else_branch", std::make_shared<model::Graph>(inner.model().graph)}});
  b.output("y");
  b.output("z");
  const auto result = run_pass("push_transposes", b.model(), {3});
  EXPECT_EQ(count_nodes(result.model, "Transpose"), 1);
}

TEST(PushTransposes, ChannelsLastNetworksEndWithoutPingPong) {
  ModelBuilder b(13);
  b.input("x", {1, 8, 8, 6});
  transpose(b, "x", "x0", kToFirst);
  for (int layer = 0; layer < 3; ++layer) {
    const std::string n = std::to_string(layer);
    const std::string next = std::to_string(layer + 1);
    b.random("w" + n, {6, 6, 1, 1});
    b.random("b" + n, {6});
    b.node("Conv", {"x" + n, "w" + n}, "c" + n);
    transpose(b, "c" + n, "t" + n, kToLast);
    b.node("Add", {"t" + n, "b" + n}, "s" + n);
    b.node("Relu", {"s" + n}, "r" + n);
    transpose(b, "r" + n, "x" + next, kToFirst);
  }
  b.node("GlobalAveragePool", {"x3"}, "y");
  b.output("y");
  EXPECT_EQ(left(b), 1);
}

}  // namespace
}  // namespace wattwise::optimize
