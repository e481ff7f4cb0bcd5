// SPDX-License-Identifier: Apache-2.0
#include "engine/block_session.h"

#include <gtest/gtest.h>

#include "engine/block_plan.h"
#include "engine/runtime_testing.h"
#include "model/test_models.h"

namespace wattwise::engine {
namespace {

Tensor ids(int64_t first) {
  std::vector<int64_t> values(8);
  for (size_t i = 0; i < values.size(); ++i) values[i] = first + static_cast<int64_t>(i);
  return make_int64_tensor({1, 8}, values);
}

void expect_equal(const TensorMap& a, const TensorMap& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, tensor] : a) {
    EXPECT_EQ(tensor.shape, b.at(name).shape);
    const auto left = tensor.values<float>();
    const auto right = b.at(name).values<float>();
    ASSERT_EQ(left.size(), right.size());
    for (size_t i = 0; i < left.size(); ++i) EXPECT_NEAR(left[i], right[i], 1e-4) << name << i;
  }
}

/// x -> If(flag){ x w } else { x + b }, whose branches read constants and values around them.
model::Model branching() {
  model::Model model = model::dense_like(4, 4);
  model.graph.inputs.push_back(model::make_value("flag", DataType::kBool, {}));
  const auto branch = [](model::Node node) {
    auto graph = std::make_shared<model::Graph>();
    graph->name = node.outputs[0];
    graph->outputs = {model::make_value(node.outputs[0], DataType::kFloat, {-1, 4})};
    graph->nodes = {std::move(node)};
    return graph;
  };
  model::Node chosen = model::make_node("If", {"flag"}, "y");
  chosen.set_attribute("then_branch", branch(model::make_node("MatMul", {"m", "w"}, "t")));
  chosen.set_attribute("else_branch", branch(model::make_node("Add", {"m", "b"}, "e")));
  model.graph.nodes = {model::make_node("MatMul", {"x", "w"}, "m"), chosen};
  return model;
}

TEST(BlockSession, AnswersAsTheWholeModelDoes) {
  const model::Model text = model::text_like();
  const auto whole = open_session(runtime_for_tests(), system_env(), text, "text", {});
  ASSERT_TRUE(whole.has_value());
  for (const uint64_t bytes : {uint64_t{1}, uint64_t{14000}, uint64_t{1} << 30}) {
    const auto blocks = open_block_session(runtime_for_tests(), system_env(), text, {}, {bytes});
    ASSERT_TRUE(blocks.has_value());
    EXPECT_EQ((*blocks)->block_count(), bytes == 1 ? 4 : bytes == 14000 ? 2 : 1);
    const std::vector<TensorMap> inputs = {{{"ids", ids(0)}}, {{"ids", ids(100)}}};
    const auto expected = (*whole)->run_all(inputs);
    const auto actual = (*blocks)->run_all(inputs);
    ASSERT_TRUE(expected.has_value());
    ASSERT_TRUE(actual.has_value()) << actual.error().to_string();
    ASSERT_EQ(actual->size(), 2u);
    for (size_t i = 0; i < 2; ++i) expect_equal((*expected)[i], (*actual)[i]);
  }
}

TEST(BlockSession, BranchesReadWhatIsAroundThem) {
  const model::Model model = branching();
  const auto whole = open_session(runtime_for_tests(), system_env(), model, "m", {});
  const auto blocks = open_block_session(runtime_for_tests(), system_env(), model, {}, {1});
  ASSERT_TRUE(whole.has_value()) << whole.error().to_string();
  ASSERT_TRUE(blocks.has_value());
  EXPECT_EQ((*blocks)->block_count(), 2);
  for (const bool flag : {false, true}) {
    for (const int64_t batch : {1, 3}) {
      const auto values = model::random_floats(static_cast<size_t>(batch) * 4, 9);
      const Tensor chosen{DataType::kBool, {}, Bytes::copy_of(std::span<const bool>(&flag, 1)), {}};
      const TensorMap inputs = {{"x", make_float_tensor({batch, 4}, values)}, {"flag", chosen}};
      const auto actual = (*blocks)->run(inputs);
      ASSERT_TRUE(actual.has_value()) << actual.error().to_string();
      expect_equal(*(*whole)->run(inputs), *actual);
    }
  }
}

TEST(BlockSession, InputsOfDifferentSizesGoTogether) {
  const model::Model model = model::dense_like();
  const auto blocks = open_block_session(runtime_for_tests(), system_env(), model, {}, {1});
  const auto outputs =
      (*blocks)->run_all({{{"x", make_float_tensor({1, 4}, model::random_floats(4, 1))}},
                          {{"x", make_float_tensor({5, 4}, model::random_floats(20, 2))}}});
  ASSERT_TRUE(outputs.has_value()) << outputs.error().to_string();
  EXPECT_EQ((*outputs)[0].at("y").shape, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ((*outputs)[1].at("y").shape, (std::vector<int64_t>{5, 3}));
  const auto wrong = (*blocks)->run({{"x", make_float_tensor({1, 5}, model::random_floats(5, 1))}});
  EXPECT_EQ(wrong.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ((*blocks)->run({}).error().code(), ErrorCode::kInvalidArgument);
}

TEST(BlockSession, ATooLargeNodeIsToldAndStoodInFor) {
  const model::Model text = model::text_like();
  BlockOptions options{1, 10000};  // w1 has 12,288 bytes, w2 6,144
  const auto session = open_block_session(runtime_for_tests(), system_env(), text, {}, options);
  ASSERT_TRUE(session.has_value());
  ASSERT_EQ((*session)->decisions().size(), 1u);
  EXPECT_EQ((*session)->decisions()[0].action, "not_run");
  EXPECT_EQ((*session)->decisions()[0].subject, "h_MatMul");
  const auto first = (*session)->run({{"ids", ids(0)}});
  ASSERT_TRUE(first.has_value()) << first.error().to_string();
  EXPECT_EQ(first->at("y").shape, (std::vector<int64_t>{1, 8, 32}));
  expect_equal(*first, *(*session)->run({{"ids", ids(50)}}));  // of its input nothing is left
}

TEST(BlockPlan, WhatIsUnpackedFromConstantsStaysWithItsReaders) {
  model::Graph graph;
  graph.inputs = {model::make_value("x", DataType::kFloat, {1, 16})};
  graph.outputs = {model::make_value("y", DataType::kFloat, {1, 16})};
  for (const char* name : {"a", "b"}) {
    model::Constant half;
    half.name = name;
    half.type = DataType::kFloat16;
    half.shape = {16, 16};
    half.data = Bytes::own(std::vector<std::byte>(512));
    graph.initializers.push_back(half);
  }
  graph.nodes = {model::make_node("Cast", {"a"}, "wide_a"),
                 model::make_node("Cast", {"b"}, "wide_b"),
                 model::make_node("MatMul", {"x", "wide_a"}, "h"),
                 model::make_node("MatMul", {"h", "wide_b"}, "y")};
  const auto blocks = plan_blocks(graph, 2000);
  ASSERT_EQ(blocks.size(), 2u);
  EXPECT_EQ(blocks[0].nodes, (std::vector<size_t>{0, 2}));
  EXPECT_EQ(blocks[0].weight_bytes, 512u + 1024u);
  EXPECT_EQ(blocks[0].inputs, std::vector<std::string>{"x"});
  EXPECT_EQ(blocks[0].outputs, std::vector<std::string>{"h"});
  EXPECT_EQ(blocks[1].nodes, (std::vector<size_t>{1, 3}));
  EXPECT_EQ(blocks[1].constants, std::vector<std::string>{"b"});
  EXPECT_EQ(plan_blocks(graph, 1 << 20).size(), 1u);
}

}  // namespace
}  // namespace wattwise::engine
