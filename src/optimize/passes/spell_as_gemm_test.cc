// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

constexpr char kGemmPass[] = "spell_as_gemm";
using Ints = std::vector<int64_t>;

struct Head {
  Ints shape = {-1, -1, 6};
  int64_t columns = 1000;
  Ints bias = {1000};
  std::string end = "Softmax";
};

/// x -> MatMul -> Add -> Softmax -> y
ModelBuilder head_model(const Head& head, int64_t opset = 9) {
  ModelBuilder b(opset);
  b.input("x", head.shape);
  b.random("w", {head.shape.back(), head.columns});
  b.random("b", head.bias);
  b.node("MatMul", {"x", "w"}, "m");
  b.node("Add", {"b", "m"}, "a");
  b.node(head.end, {"a"}, "y");
  if (head.end.ends_with("Softmax")) {
    b.model().graph.nodes.back().set_attribute("axis", static_cast<int64_t>(head.shape.size()) - 1);
  }
  b.output("y");
  return b;
}

TEST(SpellAsGemm, ReadsTheShapeWhereSeveralSizesAreFree) {
  for (const int64_t opset : {7, 9, 13}) {
    for (const bool as_nodes : {false, true}) {
      ModelBuilder b = head_model({}, opset);
      if (as_nodes) as_constant_nodes(b.model().graph);
      const auto result = run_pass(kGemmPass, b.model(), {1, 3}, {});
      EXPECT_EQ(result.outcome.changed, 2);
      EXPECT_EQ(count_nodes(result.model, "Gemm"), 1);
      EXPECT_EQ(count_nodes(result.model, "MatMul") + count_nodes(result.model, "Add"), 0);
      EXPECT_EQ(count_nodes(result.model, "Shape"), 1);
      EXPECT_EQ(run_pass(kGemmPass, result.model).outcome.changed, 0);
      EXPECT_EQ(count_nodes(run_all_passes(b.model(), {3}).model, "Gemm"), 1);
    }
  }
}

TEST(SpellAsGemm, KeepsEmptySizes) {
  ModelBuilder b = head_model({}, 14);
  EXPECT_EQ(run_pass(kGemmPass, b.model(), {0, 3}).outcome.changed, 2);
  ModelBuilder batch = head_model({{-1, 5, 6}}, 9);
  EXPECT_EQ(run_pass(kGemmPass, batch.model(), {0, 3}).outcome.changed, 2);
}

TEST(SpellAsGemm, WritesTheShapeWhereOneSizeIsFree) {
  for (const Ints& shape : {Ints{-1, 3, 6}, Ints{2, -1, 6}, Ints{2, 3, -1, 6}}) {
    const Head head{shape, 1000, {1, 1, 1000}, "LogSoftmax"};
    const auto result = run_pass(kGemmPass, head_model(head).model(), {1, 3});
    EXPECT_EQ(count_nodes(result.model, "Gemm"), 1);
    EXPECT_EQ(count_nodes(result.model, "Shape"), 0);
  }
}

TEST(SpellAsGemm, KnowsTheRankFromATranspose) {
  for (const bool transposes : {true, false}) {
    ModelBuilder b(13);
    b.input("image", transposes ? Ints{-1, 6, 1, -1} : Ints{-1, 1, -1, 6});
    b.random("w", {6, 1000});
    b.random("b", {1000});
    b.node("Squeeze", {"image"}, "line");  // which axes go is not known
    if (transposes) b.node("Transpose", {"line"}, "x", {{"perm", Ints{0, 2, 1}}});
    b.node("MatMul", {transposes ? "x" : "line", "w"}, "m");
    b.node("Add", {"m", "b"}, "a");
    b.node("Softmax", {"a"}, "y", {{"axis", int64_t{2}}});
    b.output("y");
    EXPECT_EQ(run_pass(kGemmPass, b.model(), {3, 4}).outcome.changed, transposes ? 2 : 0);
  }
}

TEST(SpellAsGemm, LeavesWhatTheRuntimeSpellsSo) {
  EXPECT_EQ(run_pass(kGemmPass, head_model({.shape = {2, 3, 6}}).model()).outcome.changed, 0);
  EXPECT_EQ(run_pass(kGemmPass, head_model({.shape = {-1, 6}}).model()).outcome.changed, 0);
}

TEST(SpellAsGemm, LeavesSumsThatAreNoBiasOrThatSomethingElseReads) {
  EXPECT_EQ(run_pass(kGemmPass, head_model({.bias = {1}}).model()).outcome.changed, 0);
  EXPECT_EQ(run_pass(kGemmPass, head_model({.bias = {1, 3, 1000}}).model(), {3}).outcome.changed,
            0);
  EXPECT_EQ(run_pass(kGemmPass, head_model({.bias = {1, 1, 1, 1000}}).model()).outcome.changed, 0);
  EXPECT_EQ(run_pass(kGemmPass, head_model({.end = "Tanh"}).model()).outcome.changed, 0);
  for (const char* value : {"m", "a"}) {
    ModelBuilder b = head_model({});
    b.output(value);
    EXPECT_EQ(run_pass(kGemmPass, b.model()).outcome.changed, 0) << value;
  }
}

TEST(SpellAsGemm, LeavesProductsToMethodsThatQuantizeThem) {
  EXPECT_EQ(run_pass(kGemmPass, head_model({}).model(), {3}, {.quantizes = true}).outcome.changed,
            0);
}

TEST(SpellAsGemm, RefusesFewColumns) {
  const auto result = run_pass(kGemmPass, head_model({.columns = 400, .bias = {400}}).model());
  EXPECT_EQ(result.outcome.changed, 0);
  ASSERT_EQ(result.outcome.decisions.size(), 1U);
  EXPECT_EQ(result.outcome.decisions[0].subject, "a");
}

}  // namespace
}  // namespace wattwise::optimize::testing
