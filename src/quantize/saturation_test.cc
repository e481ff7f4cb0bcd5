// SPDX-License-Identifier: Apache-2.0
#include "quantize/saturation.h"

#include <gtest/gtest.h>

#include <random>

#include "model/test_models.h"
#include "quantize/byte_products_testing.h"
#include "quantize/convolution_weights.h"
#include "quantize/kernels.h"

namespace wattwise::quantize {
namespace {

using model::make_float_constant;
using model::make_node;

/// Bytes of all kinds, most of them near where pairs begin to saturate.
std::vector<int8_t> adversarial(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<int8_t> out(count);
  for (int8_t& value : out) {
    const auto sign = static_cast<int>(random() % 2) * 2 - 1;
    const auto near = static_cast<int>(random() % 5) + 62;
    const auto any = static_cast<int>(random() % 256) - 128;
    value = static_cast<int8_t>(random() % 4 == 0 ? any : sign * near);
  }
  return out;
}

std::vector<uint8_t> activations(size_t count, std::mt19937& random) {
  std::vector<uint8_t> out(count);
  for (uint8_t& value : out) {
    value = static_cast<uint8_t>(random() % 3 == 0 ? 255 - random() % 3 : random() % 256);
  }
  return out;
}

model::Constant bytes(const char* name, const std::vector<int64_t>& shape,
                      const std::vector<int8_t>& values) {
  return model::make_constant(
      name, {DataType::kInt8, shape, Bytes::copy_of(std::span<const int8_t>(values)), {}});
}

int64_t pairs_found(model::Model& model) {
  const auto found = find_saturating_weights(model);
  return found.empty() ? 0 : found[0].pairs;
}

/// y = MatMulInteger(x, w), w [rows, columns].
model::Model matrix_product(const std::vector<int8_t>& values, int64_t rows, int64_t columns) {
  model::Model model;
  model.graph.inputs = {model::make_value("x", DataType::kUint8, {1, rows})};
  model.graph.outputs = {model::make_value("y", DataType::kInt32, {1, columns})};
  model.graph.initializers = {bytes("w", {rows, columns}, values)};
  model.graph.nodes = {make_node("MatMulInteger", {"x", "w"}, "y")};
  return model;
}

/// y = Conv(DequantizeLinear(x), DequantizeLinear(w)), w [outputs, inputs of a group, high, wide].
model::Model convolution(const std::vector<int8_t>& values, const std::vector<int64_t>& shape,
                         int64_t groups = 1) {
  model::Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 13}};
  model.graph.inputs = {model::make_value("x", DataType::kUint8, {1, shape[1] * groups, 8, 8})};
  model.graph.outputs = {model::make_value("y", DataType::kFloat, {1, shape[0], -1, -1})};
  model.graph.initializers = {bytes("w8", shape, values),
                              make_float_constant("scale", {}, std::vector<float>{0.1F})};
  model.graph.nodes = {make_node("DequantizeLinear", {"x", "scale"}, "xf"),
                       make_node("DequantizeLinear", {"w8", "scale"}, "wf"),
                       make_node("Conv", {"xf", "wf"}, "y")};
  model.graph.nodes.back().set_attribute("group", groups);
  return model;
}

/// The weights of one output in the order in which kernels multiply them: rows of the picture, its
/// columns, then channels.
std::vector<int8_t> in_kernel_order(const std::vector<int8_t>& values,
                                    const std::vector<int64_t>& shape, int64_t output) {
  std::vector<int8_t> row;
  for (int64_t y = 0; y < shape[2]; ++y) {
    for (int64_t x = 0; x < shape[3]; ++x) {
      for (int64_t in = 0; in < shape[1]; ++in) {
        const int64_t at = ((output * shape[1] + in) * shape[2] + y) * shape[3] + x;
        row.push_back(values[static_cast<size_t>(at)]);
      }
    }
  }
  return row;
}

TEST(Saturation, EveryPairOfWeightsIsJudgedAsTheInstructionsAdd) {
  for (int first = -128; first <= 127; ++first) {
    for (int second = -128; second <= 127; ++second) {
      const std::vector<int8_t> pair = {static_cast<int8_t>(first), static_cast<int8_t>(second)};
      ASSERT_EQ(count_unsafe_pairs(pair, 2, 1) == 1, !saturating_positions(pair).empty())
          << first << " " << second;
    }
  }
}

TEST(Saturation, MatricesAreJudgedAsTheInstructionsAddThem) {
  std::mt19937 random(7);
  for (uint32_t seed = 0; seed < 60; ++seed) {
    const size_t rows = 1 + seed % 13;
    const size_t columns = 1 + seed % 5;
    const auto values = adversarial(rows * columns, seed);
    model::Model model =
        matrix_product(values, static_cast<int64_t>(rows), static_cast<int64_t>(columns));
    int64_t pairs = 0;
    for (size_t c = 0; c < columns; ++c) {
      std::vector<int8_t> column;
      for (size_t row = 0; row < rows; ++row) column.push_back(values[row * columns + c]);
      const auto found = saturating_positions(column);
      pairs += static_cast<int64_t>(found.size());
      if (!found.empty()) continue;
      for (int trial = 0; trial < 20; ++trial) {
        const auto a = activations(rows, random);
        ASSERT_EQ(dot_without_vnni(a, column), dot_with_vnni(a, column));
      }
    }
    EXPECT_EQ(pairs_found(model), pairs) << seed;
  }
}

TEST(Saturation, ConvolutionsAreJudgedInTheOrderOfTheirKernels) {
  const std::vector<std::vector<int64_t>> shapes = {{3, 4, 3, 3}, {4, 3, 3, 3}, {2, 5, 1, 4},
                                                    {4, 6, 1, 1}, {6, 1, 3, 3}, {2, 3, 2, 1}};
  for (uint32_t seed = 0; seed < 60; ++seed) {
    const auto& shape = shapes[seed % shapes.size()];
    const int64_t groups = shape[1] == 1 ? 3 : 1 + seed / 6 % 2 * (shape[0] % 2 == 0 ? 1 : 0);
    const auto count = static_cast<size_t>(shape[0] * shape[1] * shape[2] * shape[3]);
    const auto values = adversarial(count, seed);
    int64_t pairs = 0;
    for (int64_t output = 0; output < shape[0]; ++output) {
      const auto found = saturating_positions(in_kernel_order(values, shape, output));
      pairs += static_cast<int64_t>(found.size());
    }
    model::Model model = convolution(values, shape, groups);
    EXPECT_EQ(pairs_found(model), pairs) << seed;
  }
}

TEST(Saturation, TheOrderOfTheFileDecidesNothing) {
  // Two channels, two taps. In the file the large ones are neighbours; in kernels they are not.
  model::Model sound = convolution({100, 100, 1, 1}, {1, 2, 1, 2});
  EXPECT_EQ(pairs_found(sound), 0);
  model::Model unsound = convolution({100, 1, 100, 1}, {1, 2, 1, 2});
  EXPECT_EQ(pairs_found(unsound), 1);
}

TEST(Saturation, ProductsOneByOneNeverSaturate) {
  model::Model depthwise = convolution(std::vector<int8_t>(36, 127), {4, 1, 3, 3}, 4);
  EXPECT_EQ(pairs_found(depthwise), 0);
  model::Model two_a_group = convolution(std::vector<int8_t>(36, 127), {4, 1, 3, 3}, 2);
  EXPECT_GT(pairs_found(two_a_group), 0);
}

TEST(Saturation, BranchesReadWhatIsMadeOutside) {
  model::Model model = convolution(std::vector<int8_t>(36, 127), {1, 4, 3, 3});
  const auto conv = std::find_if(model.graph.nodes.begin(), model.graph.nodes.end(),
                                 [](const model::Node& node) { return node.is("Conv"); });
  ASSERT_NE(conv, model.graph.nodes.end());
  auto branch = std::make_shared<model::Graph>();
  branch->nodes = {*conv};
  model.graph.nodes.erase(conv);
  model::Node choice = model::make_node("If", {"taken"}, "chosen");
  choice.set_attribute("then_branch", branch);
  choice.set_attribute("else_branch", std::make_shared<model::Graph>());
  model.graph.nodes.push_back(choice);
  const auto found = find_saturating_weights(model);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].name, "wf");
}

TEST(Saturation, FloatActivationsAreNoMatterOfBytes) {
  model::Model model = convolution(std::vector<int8_t>(36, 127), {1, 4, 3, 3});
  const auto found = find_saturating_weights(model);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].name, "wf");
  model.graph.nodes[0].op_type = "Cast";
  EXPECT_TRUE(find_saturating_weights(model).empty());
}

}  // namespace
}  // namespace wattwise::quantize
