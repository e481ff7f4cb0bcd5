// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

using GraphPointer = std::shared_ptr<model::Graph>;

void add_bool(ModelBuilder& b, const std::string& name, bool value) {
  const std::vector<uint8_t> bytes = {static_cast<uint8_t>(value)};
  b.model().graph.initializers.push_back(model::make_constant(
      name, {DataType::kBool, {}, Bytes::copy_of(std::span<const uint8_t>(bytes)), {}}));
}

/// `result` = op(x + own constant); both branches use the same names.
GraphPointer branch(const std::string& op) {
  ModelBuilder inner(13);
  inner.random("w", {4});
  inner.node("Add", {"x", "w"}, "h");
  inner.node(op, {"h"}, "result");
  inner.output("result");
  inner.model().graph.name = op;
  return std::make_shared<model::Graph>(std::move(inner.model().graph));
}

ModelBuilder with_if(bool condition) {
  ModelBuilder b(13);
  b.input("x", {-1, 4});
  add_bool(b, "c", condition);
  b.node("If", {"c"}, "y", {{"then_branch", branch("Exp")}, {"else_branch", branch("Tanh")}});
  return b;
}

TEST(ResolveBranches, AConstantConditionLeavesOneBranch) {
  for (const bool condition : {true, false}) {
    ModelBuilder b = with_if(condition);
    b.output("y");
    const auto result = run_pass("resolve_branches", b.model(), {1, 3});
    EXPECT_EQ(count_nodes(result.model, "If"), 0);
    EXPECT_EQ(count_nodes(result.model, "Exp"), condition ? 1 : 0);
    EXPECT_EQ(count_nodes(result.model, "Tanh"), condition ? 0 : 1);
    EXPECT_EQ(count_nodes(result.model, "Identity"), 0);
  }
}

TEST(ResolveBranches, TwoOfTheSameNamesDoNotMix) {
  ModelBuilder b = with_if(true);
  b.node("If", {"c"}, "z", {{"then_branch", branch("Sin")}, {"else_branch", branch("Cos")}});
  b.node("Sub", {"y", "z"}, "d");
  b.output("d");
  EXPECT_EQ(count_nodes(run_pass("resolve_branches", b.model()).model, "If"), 0);
}

TEST(ResolveBranches, ANestedIfGoesWithTheOuterOne) {
  ModelBuilder b(13);
  b.input("x", {-1, 4});
  add_bool(b, "c", true);
  ModelBuilder inner(13);
  inner.node("Neg", {"x"}, "x_inner");
  inner.node("If", {"c"}, "result",
             {{"then_branch", branch("Exp")}, {"else_branch", branch("Tanh")}});
  inner.node("Add", {"result", "x_inner"}, "sum");
  inner.output("sum");
  const auto outer = std::make_shared<model::Graph>(std::move(inner.model().graph));
  b.node("If", {"c"}, "y", {{"then_branch", outer}, {"else_branch", branch("Sin")}});
  b.output("y");
  EXPECT_EQ(count_nodes(run_pass("resolve_branches", b.model()).model, "If"), 0);
}

TEST(ResolveBranches, AnInputsConditionStays) {
  ModelBuilder b(13);
  b.input("x", {-1, 4});
  b.input("c", {}, DataType::kBool);
  b.node("If", {"c"}, "y", {{"then_branch", branch("Exp")}, {"else_branch", branch("Tanh")}});
  b.output("y");
  EXPECT_EQ(run_pass("resolve_branches", b.model()).outcome.changed, 0);
}

/// Carries x through a body of `op`; with `stacked` the body's values are collected too.
ModelBuilder with_loop(int64_t count, bool stacked) {
  ModelBuilder body(13);
  body.input("i", {}, DataType::kInt64);
  body.input("go", {}, DataType::kBool);
  body.input("carried", {-1, 4});
  body.node("Cast", {"i"}, "f", {{"to", int64_t{1}}});
  body.node("Add", {"carried", "f"}, "h");
  body.node("Exp", {"h"}, "next");
  body.node("Identity", {"go"}, "go_on");
  body.output("go_on", DataType::kBool);
  body.output("next");
  if (stacked) body.output("h");
  ModelBuilder b(13);
  b.input("x", {-1, 4});
  b.integers("count", {}, {count});
  const auto graph = std::make_shared<model::Graph>(std::move(body.model().graph));
  graph->name = "body";
  model::Node& loop = b.node("Loop", {"count", "", "x"}, "y", {{"body", graph}});
  if (stacked) loop.outputs.emplace_back("all");
  b.output("y");
  if (stacked) b.output("all");
  return b;
}

TEST(ResolveBranches, ALoopOfOneRunIsItsBody) {
  ModelBuilder b = with_loop(1, false);
  const auto result = run_pass("resolve_branches", b.model(), {1, 3});
  EXPECT_EQ(count_nodes(result.model, "Loop"), 0);
  EXPECT_EQ(count_nodes(result.model, "Exp"), 1);
}

TEST(ResolveBranches, ALoopOfNoRunIsNothing) {
  ModelBuilder b = with_loop(0, false);
  const auto result = run_pass("resolve_branches", b.model());
  EXPECT_EQ(count_nodes(result.model, "Loop"), 0);
  EXPECT_EQ(count_nodes(result.model, "Exp"), 0);
}

TEST(ResolveBranches, WhatOneRunMakesIsStacked) {
  ModelBuilder b = with_loop(1, true);
  const auto result = run_pass("resolve_branches", b.model(), {1, 3});
  EXPECT_EQ(count_nodes(result.model, "Loop"), 0);
  EXPECT_EQ(count_nodes(result.model, "Unsqueeze"), 1);
}

TEST(ResolveBranches, AShortLoopWithLongWordsIsSpelledOut) {
  ModelBuilder b = with_loop(3, true);
  model::Node& loop = b.model().graph.nodes.back();
  // As exporters do it: names, and each value's type.
  auto& body = *std::get<std::shared_ptr<model::Graph>>(loop.attribute("body")->value);
  body.doc = std::string(1000, 'd');
  const auto result = run_pass("resolve_branches", b.model(), {1, 3});
  EXPECT_EQ(count_nodes(result.model, "Loop"), 0);
  EXPECT_EQ(count_nodes(result.model, "Exp"), 3);
  EXPECT_EQ(count_nodes(result.model, "Concat"), 1);
}

TEST(ResolveBranches, ALoopThatWouldGrowStays) {
  ModelBuilder b = with_loop(3, false);
  const auto result = run_pass("resolve_branches", b.model());
  EXPECT_EQ(result.outcome.changed, 0);
  EXPECT_EQ(result.outcome.decisions.size(), 1U);
}

TEST(ResolveBranches, NoRunStacksNothing) {
  ModelBuilder b = with_loop(0, true);
  model::Node& loop = b.model().graph.nodes.back();
  EXPECT_EQ(run_pass("resolve_branches", b.model()).outcome.changed, 0);
  // With a declared shape the empty stack can be written down.
  auto& body = *std::get<std::shared_ptr<model::Graph>>(loop.attribute("body")->value);
  body.outputs[2].shape = {{{1, "", {}}, {4, "", {}}}};
  b.model().graph.inputs[0].shape->front() = {1, "", {}};
  const auto result = run_pass("resolve_branches", b.model());
  EXPECT_EQ(count_nodes(result.model, "Loop"), 0);
}

/// If(last dimension is 1){Squeeze(x)}{x} -> r, then what `use` adds.
ModelBuilder squeezed_if_one() {
  ModelBuilder b(13);
  b.input("x", {-1, 4, -1});
  b.integers("last", {}, {2});
  b.integers("one", {}, {1});
  b.integers("axis", {1}, {-1});
  b.node("Shape", {"x"}, "s");
  b.node("Gather", {"s", "last"}, "n");
  b.node("Equal", {"n", "one"}, "c");
  ModelBuilder yes(13);
  yes.node("Squeeze", {"x", "axis"}, "squeezed");
  yes.output("squeezed");
  ModelBuilder no(13);
  no.node("Identity", {"x"}, "as_it_is");
  no.output("as_it_is");
  b.node("If", {"c"}, "r",
         {{"then_branch", std::make_shared<model::Graph>(std::move(yes.model().graph))},
          {"else_branch", std::make_shared<model::Graph>(std::move(no.model().graph))}});
  return b;
}

TEST(ResolveBranches, ABranchThatNothingAfterItAcceptsIsNeverTaken) {
  ModelBuilder b = squeezed_if_one();
  b.random("w", {4, 3});
  b.node("Gemm", {"r", "w"}, "y");  // takes matrices only
  b.output("y");
  const auto result = run_pass("resolve_branches", b.model(), {1});
  EXPECT_EQ(count_nodes(result.model, "If"), 0);
  EXPECT_EQ(count_nodes(result.model, "Squeeze"), 1);
  ASSERT_EQ(result.outcome.decisions.size(), 1U);
  EXPECT_NE(result.outcome.decisions[0].reason.find("then branch"), std::string::npos);
}

TEST(ResolveBranches, WhatOnlySometimesRunsDoesNotObject) {
  ModelBuilder b = squeezed_if_one();
  ModelBuilder yes(13);
  yes.random("w", {4, 3});
  yes.node("Gemm", {"r", "w"}, "product");
  yes.node("ReduceSum", {"product"}, "sum");
  yes.output("sum");
  ModelBuilder no(13);
  no.node("ReduceSum", {"r"}, "other_sum");
  no.output("other_sum");
  b.node("If", {"c"}, "y",
         {{"then_branch", std::make_shared<model::Graph>(std::move(yes.model().graph))},
          {"else_branch", std::make_shared<model::Graph>(std::move(no.model().graph))}});
  b.output("y");
  const auto result = run_pass("resolve_branches", b.model(), {1, 2});
  EXPECT_EQ(result.outcome.changed, 0);
}

TEST(ResolveBranches, WhereBothBranchesAreAcceptedBothStay) {
  ModelBuilder b = squeezed_if_one();
  b.node("Exp", {"r"}, "y");
  b.output("y");
  EXPECT_EQ(run_pass("resolve_branches", b.model(), {1, 2}).outcome.changed, 0);
}

}  // namespace
}  // namespace wattwise::optimize::testing
