// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

using Ints = std::vector<int64_t>;

constexpr int64_t kModelWidth = 8;

/// One layer of attention with two heads over `x`, and a sum with it; returns the new value.
std::string add_attention(ModelBuilder& b, const std::string& x, const std::string& at) {
  const auto project = [&](const std::string& name, const std::string& from) {
    b.random(at + name + "_w", {kModelWidth, kModelWidth});
    b.random(at + name + "_b", {kModelWidth});
    b.node("MatMul", {from, at + name + "_w"}, at + name + "_m");
    b.node("Add", {at + name + "_m", at + name + "_b"}, at + name);
    return at + name;
  };
  const auto part = [&](const std::string& name, Ints perm) {
    b.node("Reshape", {project(name, x), "heads"}, at + name + "_r");
    b.node("Transpose", {at + name + "_r"}, at + name + "_t", {{"perm", std::move(perm)}});
  };
  part("q", {0, 2, 1, 3});
  part("k", {0, 2, 3, 1});
  part("v", {0, 2, 1, 3});
  b.node("MatMul", {at + "q_t", at + "k_t"}, at + "scores");
  b.node("Add", {at + "scores", "mask"}, at + "masked");
  b.node("Softmax", {at + "masked"}, at + "p", {{"axis", int64_t{-1}}});
  b.node("MatMul", {at + "p", at + "v_t"}, at + "c");
  b.node("Transpose", {at + "c"}, at + "c_t", {{"perm", Ints{0, 2, 1, 3}}});
  b.node("Reshape", {at + "c_t", "joined"}, at + "c_r");
  b.node("Add", {project("o", at + "c_r"), x}, at + "sum");
  b.node("ReduceMean", {at + "sum"}, at + "mean", {{"axes", Ints{-1}}});
  b.node("Sub", {at + "sum", at + "mean"}, at + "y");
  return at + "y";
}

ModelBuilder attention(int layers) {
  ModelBuilder b(13);
  b.input("x", {-1, -1, kModelWidth});
  b.random("mask", {1, 1, 1, 1});
  b.random("positions", {1, 4, kModelWidth});
  b.integers("heads", {4}, {0, 0, 2, 4});
  b.integers("joined", {3}, {0, -1, kModelWidth});
  b.node("Tanh", {"x"}, "x0");
  std::string value = "x0";
  for (int i = 0; i < layers; ++i) value = add_attention(b, value, "l" + std::to_string(i));
  b.node("Relu", {value}, "y");
  return b;
}

/// Transposes that a product does not take in.
int64_t left_over(const model::Model& model) {
  int64_t count = 0;
  for (const model::Node& node : model.graph.nodes) {
    const Ints perm = node.is("Transpose") ? node.ints_or_empty("perm") : Ints();
    count += !perm.empty() && perm != Ints{1, 2, 0, 3} && perm != Ints{1, 2, 3, 0} ? 1 : 0;
  }
  return count;
}

TEST(PutSequenceFirst, HeadsOfAllLayersArePartedByProducts) {
  for (const int layers : {2, 4}) {
    ModelBuilder b = attention(layers);
    b.output("y");
    const auto result = run_pass("put_sequence_first", b.model(), {2, 4, 7});
    EXPECT_EQ(result.outcome.changed, 1) << layers;
    EXPECT_EQ(left_over(result.model), layers + 2) << "joins, and one at each end";
  }
}

TEST(PutSequenceFirst, ValuesThatAreReadOutsideKeepTheirOrder) {
  ModelBuilder b = attention(3);
  b.output("y");
  b.output("l0y");
  b.output("l1q_r");
  const auto result = run_pass("put_sequence_first", b.model(), {4, 5});
  EXPECT_EQ(result.outcome.changed, 1);
  EXPECT_EQ(left_over(result.model), 3 + 4);
}

TEST(PutSequenceFirst, OperandsThatDifferAlongTheSequenceMoveAlong) {
  ModelBuilder b = attention(2);
  b.random("bias", {4, 1});
  b.node("Add", {"y", "positions"}, "moved");
  b.node("Mul", {"moved", "bias"}, "z");
  b.output("z");
  const auto result = run_pass("put_sequence_first", b.model(), {4});
  EXPECT_EQ(result.outcome.changed, 1);
  EXPECT_EQ(left_over(result.model), 2 + 2);
}

TEST(PutSequenceFirst, IsLeftAloneWhereNothingIsSaved) {
  ModelBuilder single = attention(1);  // three saved, two at the ends
  single.output("y");
  EXPECT_EQ(run_pass("put_sequence_first", single.model(), {4}).outcome.changed, 0);
  ModelBuilder shown = attention(2);  // most parts are wanted as they are
  for (const char* name : {"l0q_r", "l0k_r", "l0v_r", "l1v_r", "y"}) shown.output(name);
  EXPECT_EQ(run_pass("put_sequence_first", shown.model(), {4}).outcome.changed, 0);
  ModelBuilder odd = attention(2);  // sizes that need not be those of the input
  for (model::Constant& constant : odd.model().graph.initializers) {
    if (constant.name == "heads") {
      constant = model::make_int64_constant("heads", {4}, std::vector<int64_t>{-1, 4, 2, 4});
    }
  }
  odd.output("y");
  EXPECT_EQ(run_pass("put_sequence_first", odd.model(), {4}).outcome.changed, 0);
}

TEST(PutSequenceFirst, WhatDoesTellTheFirstAxesApartStaysOutside) {
  ModelBuilder flattened = attention(2);  // before opset 13 an unnamed axis means all from 1 on
  flattened.model().opset_imports[0].version = 11;
  flattened.node("Softmax", {"y"}, "z");
  flattened.output("z");
  const auto left = run_pass("put_sequence_first", flattened.model(), {4, 5});
  EXPECT_EQ(left.outcome.changed, 1);
  EXPECT_EQ(left_over(left.model), 2 + 2);
  ModelBuilder scaled = attention(2);
  scaled.model().opset_imports[0].version = 17;
  scaled.random("scale", {4, kModelWidth});
  scaled.node("LayerNormalization", {"y", "scale"}, "z");
  scaled.output("z");
  EXPECT_EQ(left_over(run_pass("put_sequence_first", scaled.model(), {4}).model), 2 + 2);
}

TEST(PutSequenceFirst, OneHeadIsNothingToPart) {
  ModelBuilder b = attention(2);
  for (model::Constant& constant : b.model().graph.initializers) {
    if (constant.name == "heads") {
      constant = model::make_int64_constant("heads", {4}, std::vector<int64_t>{0, 0, 1, 8});
    }
  }
  b.output("y");
  EXPECT_EQ(run_pass("put_sequence_first", b.model(), {4}).outcome.changed, 0);
}

TEST(PutSequenceFirst, IsDoneOnceForAll) {
  ModelBuilder b = attention(3);
  b.output("y");
  const auto once = run_all_passes(b.model(), {3, 6});
  EXPECT_EQ(left_over(once.model), 3 + 2);
  EXPECT_EQ(run_pass("put_sequence_first", once.model, {3}).outcome.changed, 0);
}

}  // namespace
}  // namespace wattwise::optimize::testing
