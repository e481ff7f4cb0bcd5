// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>

#include "optimize/partial_values.h"
#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

using Integers = std::vector<int64_t>;

TEST(FoldShapes, ReshapeToAFixedDimensionIsKnown) {
  ModelBuilder b(13);
  b.input("x", {-1, 8, 4});
  b.integers("one", {1}, {1});
  b.integers("minus", {1}, {-1});
  b.node("Shape", {"x"}, "s");
  b.node("Gather", {"s", "one"}, "n");
  b.node("Concat", {"minus", "n"}, "t", {{"axis", int64_t{0}}});
  b.node("Reshape", {"x", "t"}, "y");
  b.output("y");
  const auto result = run_pass("fold_shapes", b.model(), {2, 5});
  EXPECT_EQ(count_nodes(result.model, "Gather"), 0);
  EXPECT_EQ(count_nodes(result.model, "Concat"), 0);
  EXPECT_EQ(result.outcome.changed, 2);
}

TEST(FoldShapes, WhatDependsOnAFreeDimensionStays) {
  ModelBuilder b(13);
  b.input("x", {-1, 8});
  b.integers("zero", {1}, {0});
  b.node("Shape", {"x"}, "s");
  b.node("Gather", {"s", "zero"}, "y");
  b.output("y", DataType::kInt64);
  EXPECT_EQ(run_pass("fold_shapes", b.model(), {2, 5}).outcome.changed, 0);
}

TEST(FoldShapes, RankAndComparisonsFollowWithoutAnyDimension) {
  ModelBuilder b(15);
  b.input("x", {-1, -1, -1});
  b.integers("two", {}, {2});
  b.node("Shape", {"x"}, "s");
  b.node("Size", {"s"}, "rank");
  b.node("Equal", {"rank", "two"}, "is_two");
  b.node("Not", {"is_two"}, "y");
  b.output("y", DataType::kBool);
  const auto result = run_pass("fold_shapes", b.model(), {2, 3});
  EXPECT_EQ(result.model.graph.nodes.back().op_type, "Constant");
  EXPECT_EQ(count_nodes(result.model, "Equal"), 0);
}

TEST(FoldShapes, ShapesInsideABranchFollowFromTheGraphAround) {
  ModelBuilder b(13);
  b.input("x", {-1, 8});
  b.input("c", {}, DataType::kBool);
  const auto branch = [](const std::string& op) {
    auto graph = std::make_shared<model::Graph>();
    ModelBuilder inner(13);
    inner.integers("at_" + op, {}, {1});
    inner.node("Shape", {"x"}, "s_" + op);
    inner.node("Gather", {"s_" + op, "at_" + op}, "n_" + op);
    inner.node(op, {"n_" + op, "n_" + op}, "r_" + op);
    inner.output("r_" + op, DataType::kInt64);
    *graph = std::move(inner.model().graph);
    graph->name = op;
    return graph;
  };
  b.node("If", {"c"}, "y", {{"then_branch", branch("Add")}, {"else_branch", branch("Mul")}});
  b.output("y", DataType::kInt64);
  const auto result = run_pass("fold_shapes", b.model());
  EXPECT_EQ(count_nodes(result.model, "Add"), 0);
  EXPECT_EQ(count_nodes(result.model, "Mul"), 0);
}

TEST(FoldShapes, DimensionsOfAnInputWithADefaultAreFree) {
  ModelBuilder b(13);
  b.input("x", {-1, 2});
  b.floats("x", {1, 2}, {1, 2});
  b.node("Shape", {"x"}, "y");
  b.output("y", DataType::kInt64);
  EXPECT_EQ(run_pass("fold_shapes", b.model(), {3}).outcome.changed, 0);
}

// --- the rules ---

/// What the model's nodes come to, by name; unknown elements as -99.
std::map<std::string, Integers> follow(ModelBuilder& b) {
  std::map<std::string, Integers> known;
  for_each_known(b.model(), {}, [&](model::Node& node, const PartialValue& value) {
    known[node.outputs[0]] = *known_elements(&value);
  });
  return known;
}

TEST(PartialValues, ArithmeticIsTheRuntimes) {
  ModelBuilder b(13);
  b.integers("a", {2}, {-7, 7});
  b.integers("b", {1}, {2});
  b.integers("zero", {1}, {0});
  b.integers("largest", {1}, {INT64_MAX});
  b.node("Div", {"a", "b"}, "div");
  b.node("Mod", {"a", "b"}, "mod");
  b.node("Mod", {"a", "b"}, "fmod", {{"fmod", int64_t{1}}});
  b.node("Div", {"a", "zero"}, "by_zero");
  b.node("Add", {"largest", "b"}, "overflow");
  b.node("Less", {"a", "b"}, "less");
  b.node("Max", {"a", "b"}, "max");
  b.node("ReduceProd", {"a"}, "prod", {{"keepdims", int64_t{0}}});
  const auto known = follow(b);
  EXPECT_EQ(known.at("div"), (Integers{-3, 3}));
  EXPECT_EQ(known.at("mod"), (Integers{1, 1}));
  EXPECT_EQ(known.at("fmod"), (Integers{-1, 1}));
  EXPECT_FALSE(known.contains("by_zero"));
  EXPECT_FALSE(known.contains("overflow"));
  EXPECT_EQ(known.at("less"), (Integers{1, 0}));
  EXPECT_EQ(known.at("max"), (Integers{2, 7}));
  EXPECT_EQ(known.at("prod"), (Integers{-49}));
}

TEST(PartialValues, SlicesTakeWhatTheRuntimeTakes) {
  ModelBuilder b(13);
  b.integers("a", {2, 3}, {1, 2, 3, 4, 5, 6});
  b.integers("minus", {1}, {-1});
  b.integers("lowest", {1}, {INT64_MIN});
  b.integers("axis", {1}, {1});
  b.integers("one", {1}, {1});
  b.integers("many", {1}, {INT64_MAX});
  b.node("Slice", {"a", "minus", "lowest", "axis", "minus"}, "reversed");
  b.node("Slice", {"a", "one", "many", "axis"}, "tail");
  b.node("Slice", {"a", "one", "many"}, "last_row");
  b.node("Slice", {"a", "one", "one", "axis"}, "empty");
  const auto known = follow(b);
  EXPECT_EQ(known.at("reversed"), (Integers{3, 2, 1, 6, 5, 4}));
  EXPECT_EQ(known.at("tail"), (Integers{2, 3, 5, 6}));
  EXPECT_EQ(known.at("last_row"), (Integers{4, 5, 6}));
  EXPECT_EQ(known.at("empty"), Integers());
}

TEST(PartialValues, LayoutRules) {
  ModelBuilder b(13);
  b.integers("a", {2, 2}, {1, 2, 3, 4});
  b.integers("column", {2, 1}, {8, 9});
  b.integers("shape", {2}, {0, -1});
  b.integers("start", {}, {5});
  b.integers("limit", {}, {-4});
  b.integers("step", {}, {-3});
  b.node("Concat", {"a", "column"}, "wide", {{"axis", int64_t{-1}}});
  b.node("Gather", {"a", "start"}, "outside");
  b.node("Reshape", {"a", "shape"}, "same");
  b.node("Range", {"start", "limit", "step"}, "range");
  b.node("Add", {"a", "column"}, "sum");
  const auto known = follow(b);
  EXPECT_EQ(known.at("wide"), (Integers{1, 2, 8, 3, 4, 9}));
  EXPECT_FALSE(known.contains("outside"));
  EXPECT_EQ(known.at("same"), (Integers{1, 2, 3, 4}));
  EXPECT_EQ(known.at("range"), (Integers{5, 2, -1}));
  EXPECT_EQ(known.at("sum"), (Integers{9, 10, 12, 13}));
}

}  // namespace
}  // namespace wattwise::optimize::testing
