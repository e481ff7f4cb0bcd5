// SPDX-License-Identifier: Apache-2.0
#include "measure/divergence.h"

#include <gtest/gtest.h>

namespace wattwise::measure {
namespace {

model::Value port(const std::string& name) {
  model::Value value;
  value.name = name;
  value.type = DataType::kFloat;
  value.shape = {{4, "", ""}};
  return value;
}

/// x -> v0 -> v1 -> ... -> v39, each adding 1; `wrong` adds 2 instead.
model::Model chain(int wrong) {
  const std::vector<float> one = {1};
  const std::vector<float> two = {2};
  model::Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 13}};
  model.graph.name = "chain";
  model.graph.inputs = {port("x")};
  model.graph.initializers = {model::make_float_constant("one", {1}, one),
                              model::make_float_constant("two", {1}, two)};
  std::string from = "x";
  for (int i = 0; i < 40; ++i) {
    model::Node node;
    node.op_type = "Add";
    node.inputs = {from, i == wrong ? "two" : "one"};
    from = "v" + std::to_string(i);
    node.outputs = {from};
    model.graph.nodes.push_back(std::move(node));
  }
  model.graph.outputs = {port(from)};
  return model;
}

std::optional<Divergence> find(const model::Model& first, const model::Model& second) {
  const auto runtime = engine::load_runtime(system_env(), {});
  EXPECT_TRUE(runtime.has_value());
  const std::vector<float> x = {0.25F, -0.5F, 0.75F, 1};
  const TensorMap sample = {{"x", make_float_tensor({4}, x)}};
  auto found = find_divergence(*runtime, system_env(), {first, second, sample});
  EXPECT_TRUE(found.has_value());
  return *found;
}

TEST(Divergence, NamesTheFirstValueThatDiffersWhereverItIs) {
  for (const int wrong : {0, 1, 17, 38, 39}) {
    const auto found = find(chain(-1), chain(wrong));
    ASSERT_TRUE(found.has_value()) << wrong;
    EXPECT_EQ(found->value, "v" + std::to_string(wrong));
    EXPECT_EQ(found->last_equal, wrong == 0 ? "" : "v" + std::to_string(wrong - 1));
    EXPECT_EQ(found->op_type, "Add");
    EXPECT_EQ(found->common_values, 40);
  }
}

TEST(Divergence, EqualModelsPartNowhere) { EXPECT_FALSE(find(chain(-1), chain(-1)).has_value()); }

}  // namespace
}  // namespace wattwise::measure
