// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "model/walk.h"
#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

/// Slices the rows of w apart and puts them together in another order.
void add_reordering(ModelBuilder& b) {
  b.random("w", {512, 8});
  b.integers("zero", {1}, {0});
  b.integers("half", {1}, {256});
  b.integers("end", {1}, {512});
  b.node("Slice", {"w", "zero", "half", "zero"}, "first");
  b.node("Slice", {"w", "half", "end", "zero"}, "second");
  b.node("Concat", {"second", "first"}, "reordered", {{"axis", int64_t{0}}});
  b.node("Transpose", {"reordered"}, "turned", {{"perm", std::vector<int64_t>{1, 0}}});
}

TEST(FoldConstants, ReorderedWeightsAreStoredInOrder) {
  ModelBuilder b(13);
  b.input("x", {-1, 8});
  add_reordering(b);
  b.node("MatMul", {"x", "turned"}, "y");
  b.output("y");
  for (const bool as_nodes : {false, true}) {
    if (as_nodes) as_constant_nodes(b.model().graph);
    const auto result = run_pass("fold_constants", b.model());
    EXPECT_EQ(result.outcome.changed, 4);
    EXPECT_EQ(count_nodes(result.model, "Slice"), 0);
    EXPECT_EQ(count_nodes(result.model, "Transpose"), 0);
  }
}

TEST(FoldConstants, WeightsThatAreAlsoReadAsTheyAreAreNotStoredTwice) {
  ModelBuilder b(13);
  b.input("x", {-1, 8});
  add_reordering(b);
  b.node("MatMul", {"x", "turned"}, "z");
  b.node("MatMul", {"z", "w"}, "y");
  b.output("y");
  const auto result = run_pass("fold_constants", b.model());
  EXPECT_EQ(result.outcome.changed, 0);
  ASSERT_EQ(result.outcome.decisions.size(), 1U);
  EXPECT_EQ(result.outcome.decisions[0].action, "refuse");
}

TEST(FoldConstants, WhatIsStoredSmallStaysSmall) {
  ModelBuilder b(13);
  b.input("x", {-1, 64});
  const std::vector<int8_t> bytes(64 * 64, 3);
  b.model().graph.initializers.push_back(model::make_constant(
      "q", {DataType::kInt8, {64, 64}, Bytes::copy_of(std::span<const int8_t>(bytes)), {}}));
  b.floats("scale", {}, {0.5F});
  b.integers("large", {2}, {64, 64});
  b.node("Cast", {"q"}, "f", {{"to", int64_t{1}}});
  b.node("Mul", {"f", "scale"}, "w");
  b.node("ConstantOfShape", {"large"}, "zeros");
  b.node("Add", {"w", "zeros"}, "v");
  b.node("MatMul", {"x", "v"}, "y");
  b.output("y");
  EXPECT_EQ(run_pass("fold_constants", b.model()).outcome.changed, 0);
}

TEST(FoldConstants, ShortVectorsThatAreStoredCompactlyStaySo) {
  ModelBuilder b(13);
  b.input("x", {-1, 128});
  const std::vector<uint16_t> halves(128, 0x3C00);
  b.model().graph.initializers.push_back(model::make_constant(
      "h", {DataType::kFloat16, {128}, Bytes::copy_of(std::span<const uint16_t>(halves)), {}}));
  b.node("Cast", {"h"}, "bias", {{"to", int64_t{1}}});
  b.node("Add", {"x", "bias"}, "y");
  b.output("y");
  EXPECT_EQ(run_pass("fold_constants", b.model()).outcome.changed, 0);
}

TEST(FoldConstants, SmallResultsMayGrow) {
  ModelBuilder b(13);
  b.input("x", {-1, 4});
  b.integers("shape", {2}, {2, 4});
  b.node("ConstantOfShape", {"shape"}, "zeros");
  b.node("Concat", {"x", "zeros"}, "y", {{"axis", int64_t{0}}});
  b.output("y");
  EXPECT_EQ(run_pass("fold_constants", b.model()).outcome.changed, 1);
}

TEST(FoldConstants, DequantizationTellsTheRuntimeWhatIsQuantized) {
  ModelBuilder b(13);
  b.input("x", {-1, 1});
  const std::vector<int8_t> bytes = {1, 2};
  b.model().graph.initializers.push_back(model::make_constant(
      "q", {DataType::kInt8, {1, 2}, Bytes::copy_of(std::span<const int8_t>(bytes)), {}}));
  b.floats("scale", {}, {0.5F});
  b.node("DequantizeLinear", {"q", "scale"}, "w");
  b.node("MatMul", {"x", "w"}, "y");
  b.output("y");
  EXPECT_EQ(run_pass("fold_constants", b.model()).outcome.changed, 0);
}

TEST(FoldConstants, RandomNumbersStayRandom) {
  ModelBuilder b(13);
  b.integers("shape", {1}, {3});
  b.node("ConstantOfShape", {"shape"}, "zeros");
  b.node("RandomUniformLike", {"zeros"}, "r", {{"seed", 1.0F}});
  b.node("Mul", {"r", "zeros"}, "y");
  b.output("y");
  const auto result = run_pass("fold_constants", b.model());
  EXPECT_EQ(count_nodes(result.model, "RandomUniformLike"), 1);
  EXPECT_EQ(count_nodes(result.model, "Mul"), 1);
  EXPECT_EQ(count_nodes(result.model, "ConstantOfShape"), 0);
}

TEST(FoldConstants, AnOutputKeepsItsName) {
  ModelBuilder b(13);
  b.integers("a", {1}, {2});
  b.node("Add", {"a", "a"}, "y");
  b.output("y", DataType::kInt64);
  const auto result = run_all_passes(b.model());
  ASSERT_EQ(result.model.graph.nodes.size(), 1U);
  EXPECT_EQ(result.model.graph.nodes[0].op_type, "Constant");
}

TEST(FoldConstants, DefaultsOfInputsAreNoConstants) {
  ModelBuilder b(13);
  b.input("a", {1}, DataType::kInt64);
  b.integers("a", {1}, {2});
  b.node("Add", {"a", "a"}, "y");
  b.output("y", DataType::kInt64);
  EXPECT_EQ(run_pass("fold_constants", b.model()).outcome.changed, 0);
}

TEST(FoldConstants, BranchesUseWhatIsAroundThem) {
  ModelBuilder b(13);
  b.input("c", {}, DataType::kBool);
  b.floats("w", {2}, {1, 2});
  b.node("Neg", {"w"}, "n");
  const auto branch = [](const std::string& op) {
    ModelBuilder inner(13);
    // Both branches call their values the same.
    inner.node(op, {"n"}, "inside");
    inner.node("Identity", {"inside"}, "result");
    inner.output("result");
    return std::make_shared<model::Graph>(std::move(inner.model().graph));
  };
  b.node("If", {"c"}, "y", {{"then_branch", branch("Exp")}, {"else_branch", branch("Sqrt")}});
  b.output("y");
  const auto result = run_pass("fold_constants", b.model());
  EXPECT_EQ(result.outcome.changed, 5);
  EXPECT_EQ(count_nodes(result.model, "Constant"), 2);
}

}  // namespace
}  // namespace wattwise::optimize::testing
