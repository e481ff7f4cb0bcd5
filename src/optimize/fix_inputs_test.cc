// SPDX-License-Identifier: Apache-2.0
#include "optimize/fix_inputs.h"

#include <gtest/gtest.h>

#include "model/graph_edit.h"
#include "model/inspect.h"
#include "optimize/pass_testing.h"

namespace wattwise::optimize::testing {
namespace {

ModelBuilder two_rates() {
  ModelBuilder b(13);
  b.input("x", {-1, 4});
  b.input("rate", {}, DataType::kInt64);
  b.integers("high", {}, {16000});
  b.node("Equal", {"rate", "high"}, "is_high");
  const auto branch = [](const std::string& op) {
    ModelBuilder inner(13);
    inner.node(op, {"x"}, op);
    inner.output(op);
    inner.model().graph.name = op;
    return std::make_shared<model::Graph>(std::move(inner.model().graph));
  };
  b.node("If", {"is_high"}, "y", {{"then_branch", branch("Exp")}, {"else_branch", branch("Tanh")}});
  b.output("y");
  return b;
}

TEST(FixInputs, AFixedValueDecidesBranches) {
  ModelBuilder b = two_rates();
  ASSERT_TRUE(fix_inputs(b.model(), {{"rate", "8000"}}));
  EXPECT_TRUE(model::verify(b.model()));
  EXPECT_EQ(model::input_ports(b.model()).size(), 1U);
  const auto result = run_all_passes(b.model(), {1, 3});
  EXPECT_EQ(count_nodes(result.model, "If"), 0);
  EXPECT_EQ(count_nodes(result.model, "Exp"), 0);
  EXPECT_EQ(result.model.graph.nodes.size(), 1U);
}

TEST(FixInputs, ADefaultGivesWay) {
  ModelBuilder b = two_rates();
  b.integers("rate", {}, {16000});
  ASSERT_TRUE(fix_inputs(b.model(), {{"rate", "8000"}}));
  EXPECT_TRUE(model::verify(b.model()));
}

TEST(FixInputs, ADimensionGetsItsSize) {
  ModelBuilder b = two_rates();
  ASSERT_TRUE(fix_inputs(b.model(), {{"x_0", "3"}}));
  EXPECT_EQ(model::input_ports(b.model())[0].shape, (std::vector<int64_t>{3, 4}));
}

TEST(FixInputs, AnUnknownNameIsRefusedWithTheNearest) {
  ModelBuilder b = two_rates();
  const auto fixed = fix_inputs(b.model(), {{"rte", "8000"}});
  ASSERT_FALSE(fixed);
  EXPECT_EQ(fixed.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(fixed.error().message().find("rate"), std::string::npos);
}

TEST(FixInputs, ValuesThatDoNotFitAreRefused) {
  ModelBuilder b = two_rates();
  for (const std::string text : {"high", "", "0.5", "1,2", "9223372036854775808"}) {
    EXPECT_FALSE(fixed_tensors(b.model(), {{"rate", text}})) << text;
  }
  EXPECT_FALSE(fixed_tensors(b.model(), {{"x", "1,2,3"}}));
  EXPECT_FALSE(fixed_tensors(b.model(), {{"x_0", "-1"}}));
  EXPECT_EQ(model::input_ports(b.model()).size(), 2U);
}

TEST(FixInputs, ListsTakeTheTypeAndShapeOfTheInput) {
  ModelBuilder b = two_rates();
  b.input("flag", {1}, DataType::kBool);
  const auto tensors = fixed_tensors(b.model(), {{"x", "[1, 2.5, 3, 4]"}, {"flag", "true"}});
  ASSERT_TRUE(tensors.has_value()) << tensors.error().to_string();
  EXPECT_EQ(tensors->at("x").shape, (std::vector<int64_t>{1, 4}));
  EXPECT_EQ(tensors->at("x").values<float>()[1], 2.5F);
  EXPECT_EQ(tensors->at("flag").type, DataType::kBool);
}

}  // namespace
}  // namespace wattwise::optimize::testing
