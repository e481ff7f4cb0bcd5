// SPDX-License-Identifier: Apache-2.0
#include "quantize/equalize_layers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/session.h"
#include "measure/metrics.h"
#include "model/graph_edit.h"
#include "model/test_models.h"
#include "quantize/quantize_testing.h"

namespace wattwise::quantize {
namespace {

using model::make_float_constant;
using model::make_node;
using model::random_floats;

/// Channels differ by up to 1000 times.
std::vector<float> uneven_channels(size_t count, size_t channel_size, uint32_t seed) {
  std::vector<float> values = random_floats(count, seed);
  for (size_t i = 0; i < count; ++i) {
    const auto channel = static_cast<float>(i / channel_size % 7);
    values[i] *= std::pow(10.0F, channel / 2 - 1);
  }
  return values;
}

void add_convolution(model::Graph& graph, const std::string& input, const std::string& output,
                     const std::vector<int64_t>& shape) {
  const auto size = static_cast<size_t>(shape[1] * shape[2] * shape[3]);
  const auto count = static_cast<size_t>(shape[0]);
  const auto seed = static_cast<uint32_t>(graph.nodes.size());
  graph.initializers.push_back(
      make_float_constant(output + "_w", shape, uneven_channels(count * size, size, seed)));
  graph.initializers.push_back(
      make_float_constant(output + "_b", {shape[0]}, random_floats(count, seed + 50)));
  graph.nodes.push_back(make_node("Conv", {input, output + "_w", output + "_b"}, output));
}

/// A convolution_chain of three, one depthwise and one in groups, a pooling, and `between` behind
/// the first.
model::Model convolution_chain(const std::string& between) {
  model::Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 13}};
  model::Graph& graph = model.graph;
  graph.name = "convolution_chain";
  graph.inputs = {model::make_value("x", DataType::kFloat, {1, 4, 20, 20})};
  graph.outputs = {model::make_value("y", DataType::kFloat, {1, 6, 7, 7})};
  add_convolution(graph, "x", "c1", {12, 4, 3, 3});
  graph.nodes.push_back(make_node(between, {"c1"}, "r1"));
  add_convolution(graph, "r1", "c2", {12, 1, 3, 3});
  graph.nodes.back().set_attribute("group", int64_t{12});
  graph.nodes.push_back(make_node("MaxPool", {"c2"}, "p2"));
  graph.nodes.back().set_attribute("kernel_shape", std::vector<int64_t>{2, 2});
  graph.nodes.back().set_attribute("strides", std::vector<int64_t>{2, 2});
  add_convolution(graph, "p2", "c3", {6, 6, 2, 2});
  graph.nodes.back().set_attribute("group", int64_t{2});
  graph.nodes.push_back(make_node("Relu", {"c3"}, "y"));
  return model;
}

double largest_difference(const model::Model& first, const model::Model& second) {
  static const auto runtime = engine::runtime_for_tests();
  std::vector<TensorMap> outputs;
  for (const model::Model* model : {&first, &second}) {
    auto session = engine::open_session(runtime, system_env(), *model, "test", {});
    EXPECT_TRUE(session.has_value()) << session.error().to_string();
    outputs.push_back(*(*session)->run(*engine::make_random_inputs((*session)->inputs(), {}, 3)));
  }
  double error = 0;
  double largest = 0;
  const auto a = outputs[0].at("y").values<float>();
  const auto b = outputs[1].at("y").values<float>();
  for (size_t i = 0; i < a.size(); ++i) {
    error = std::max<double>(error, std::fabs(a[i] - b[i]));
    largest = std::max<double>(largest, std::fabs(a[i]));
  }
  EXPECT_GT(largest, 0);
  return error / largest;
}

Floats weights_of(const model::Model& model, size_t convolution) {
  for (const model::Node& node : model.graph.nodes) {
    if (!node.is("Conv") || convolution-- > 0) continue;
    for (const model::Constant& constant : model.graph.initializers) {
      if (constant.name == node.inputs[1]) return Floats(constant.data.view());
    }
  }
  return Floats(std::span<const std::byte>());
}

/// The largest of `count` weights that lie so far apart.
float largest(Floats weights, size_t first, size_t count) {
  float most = 0;
  for (size_t i = first; i < first + count; ++i) most = std::max(most, std::fabs(weights[i]));
  return most;
}

TEST(EqualizeLayers, LeavesTheOutputsAndMakesRangesEqual) {
  for (const std::string between : {"Relu", "LeakyRelu", "Identity"}) {
    const model::Model original = convolution_chain(between);
    model::Model model = model::clone(original);
    const auto outcome = equalize_layers(model);
    ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
    ASSERT_TRUE(model::verify(model).has_value());
    EXPECT_EQ(outcome->applied.front().node_count, 2) << between;
    EXPECT_LT(largest_difference(original, model), 1e-5) << between;
    const Floats first = weights_of(model, 0);
    const Floats second = weights_of(model, 1);
    const Floats third = weights_of(model, 2);
    for (size_t channel = 0; channel < 12; ++channel) {
      const float made = largest(first, channel * 36, 36);
      const float between_them = largest(second, channel * 9, 9);
      EXPECT_NEAR(made / between_them, 1, 0.01) << channel;
      // Three outputs of its group read it.
      float read = 0;
      for (size_t out = channel / 6 * 3; out < channel / 6 * 3 + 3; ++out) {
        read = std::max(read, largest(third, (out * 6 + channel % 6) * 4, 4));
      }
      EXPECT_NEAR(between_them / read, 1, 0.01) << channel;
    }
  }
}

TEST(EqualizeLayers, LeavesAloneWhatIsNotHomogeneousOrReadElsewhere) {
  model::Model sigmoid = convolution_chain("Sigmoid");
  EXPECT_EQ(equalize_layers(sigmoid)->applied.front().node_count, 1);
  model::Model seen = convolution_chain("Relu");
  seen.graph.outputs.push_back(model::make_value("r1", DataType::kFloat, {1, 12, 18, 18}));
  seen.graph.outputs.push_back(model::make_value("c2", DataType::kFloat, {1, 12, 16, 16}));
  EXPECT_TRUE(equalize_layers(seen)->applied.empty());
}

TEST(EqualizeLayers, KeepsChannelsThatNothingMakesOrReads) {
  model::Model original = convolution_chain("Relu");
  for (model::Constant& constant : original.graph.initializers) {
    if (constant.name != "c1_w") continue;
    auto values = uneven_channels(12 * 36, 36, 0);
    std::fill(values.begin(), values.begin() + 36, 0.0F);
    constant = make_float_constant("c1_w", constant.shape, values);
  }
  model::Model model = model::clone(original);
  ASSERT_TRUE(equalize_layers(model).has_value());
  EXPECT_LT(largest_difference(original, model), 1e-5);
}

}  // namespace
}  // namespace wattwise::quantize
