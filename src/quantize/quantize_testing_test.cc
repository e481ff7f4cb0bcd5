// SPDX-License-Identifier: Apache-2.0
#include "quantize/quantize_testing.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "measure/metrics.h"
#include "model/graph_edit.h"
#include "model/load.h"
#include "model/test_models.h"
#include "model/walk.h"

namespace wattwise::quantize::fixtures {
namespace {

using model::make_float_constant;
using model::make_node;
using model::random_floats;

TensorMap outputs_of(engine::Session& session, const TensorMap& inputs) {
  auto outputs = session.run(inputs);
  EXPECT_TRUE(outputs.has_value()) << outputs.error().to_string();
  return *outputs;
}

std::unique_ptr<engine::Session> open_model(const model::Model& model) {
  auto session = engine::open_session(engine::runtime_for_tests(), system_env(), model, "test", {});
  EXPECT_TRUE(session.has_value()) << session.error().to_string();
  return std::move(*session);
}

struct Link {
  std::string input;
  std::string output;
};

void add_convolution(model::Graph& graph, const Link& link, std::vector<int64_t> shape,
                     int64_t groups = 1) {
  const auto& [input, output] = link;
  size_t count = 1;
  for (const int64_t dim : shape) count *= static_cast<size_t>(dim);
  auto weights = random_floats(count, static_cast<uint32_t>(graph.nodes.size()));
  const float fan_in = std::sqrt(static_cast<float>(count) / static_cast<float>(shape[0]));
  for (float& w : weights) w /= fan_in / 2;
  const auto bias = random_floats(static_cast<size_t>(shape[0]), 99);
  const int64_t pad = shape[2] / 2;
  graph.initializers.push_back(make_float_constant(output + "_w", shape, weights));
  graph.initializers.push_back(make_float_constant(output + "_b", {shape[0]}, bias));
  model::Node node = make_node("Conv", {input, output + "_w", output + "_b"}, output);
  node.set_attribute("group", groups);
  node.set_attribute("pads", std::vector<int64_t>{pad, pad, pad, pad});
  graph.nodes.push_back(std::move(node));
}

}  // namespace

TensorMap run(const model::Model& model, const TensorMap& inputs) {
  return outputs_of(*open_model(model), inputs);
}

TensorMap run(const model::Model& model, bool flag) {
  const auto session = open_model(model);
  auto inputs = engine::make_random_inputs(session->inputs(), {}, 3);
  if (inputs->contains("flag")) {
    (*inputs)["flag"] = {DataType::kBool, {}, Bytes::copy_of(std::span<const bool>(&flag, 1)), {}};
  }
  return outputs_of(*session, *inputs);
}

double cosine(const model::Model& first, const model::Model& second) {
  return cosine(run(first), run(second));
}

double cosine(const TensorMap& expected, const TensorMap& actual) {
  const auto compared = measure::compare_outputs(expected, actual);
  EXPECT_TRUE(compared.has_value());
  return compared->front().cosine;
}

int64_t count(const model::Model& model, std::string_view op_type) {
  int64_t found = 0;
  model::for_each_graph(model.graph, [&](const model::Graph& graph, const std::string&) {
    for (const model::Node& node : graph.nodes) found += node.op_type == op_type;
  });
  return found;
}

Made make(const model::Model& original, std::string_view method, const QuantizationConfig& config) {
  Made made{model::clone(original), {}};
  const auto row = find_method(method);
  EXPECT_TRUE(row.has_value());
  auto outcome = (*row)->run(made.model, {kNoShapes, kNoProgress, config});
  EXPECT_TRUE(outcome.has_value()) << outcome.error().to_string();
  made.outcome = *outcome;
  EXPECT_TRUE(model::verify(made.model).has_value());
  return made;
}

model::Model optimized(const model::Model& model) {
  const std::string path =
      (std::filesystem::temp_directory_path() /
       fmt::format("wattwise_{}.onnx",
                   testing::UnitTest::GetInstance()->current_test_info()->name()))
          .string();
  engine::SessionOptions options;
  options.optimized_model_path = path;
  options.optimization = engine::GraphOptimization::kExtended;
  EXPECT_TRUE(
      engine::open_session(engine::runtime_for_tests(), system_env(), model, "test", options)
          .has_value());
  auto loaded = model::load(system_env(), path);
  EXPECT_TRUE(loaded.has_value());
  std::filesystem::remove(path);
  return std::move(*loaded);
}

model::Model empty_model(int64_t opset, const std::string& name) {
  model::Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", opset}};
  model.graph.name = name;
  return model;
}

model::Model mobile_like() {
  model::Model model = empty_model(13, "mobile");
  model::Graph& graph = model.graph;
  graph.inputs = {model::make_value("x", DataType::kFloat, {1, 3, 32, -1})};
  graph.outputs = {model::make_value("y", DataType::kFloat, {1, 128, -1})};
  graph.initializers = {make_float_constant("scale", {1}, std::vector<float>{0.7F}),
                        make_float_constant("shift", {1}, std::vector<float>{0.2F}),
                        model::make_int64_constant("flat", {3}, std::vector<int64_t>{1, 128, -1})};
  const auto add = [&](std::string op, std::vector<std::string> in,
                       std::string out) -> model::Node& {
    graph.nodes.push_back(make_node(std::move(op), std::move(in), std::move(out)));
    return graph.nodes.back();
  };
  add_convolution(graph, {"x", "c1"}, {32, 3, 3, 3});
  add("HardSigmoid", {"c1"}, "g1").set_attribute("alpha", 1.0F / 6);
  add("Mul", {"c1", "g1"}, "h1");
  add("Mul", {"h1", "scale"}, "s1");
  add("Add", {"s1", "shift"}, "a1");
  add_convolution(graph, {"a1", "c2"}, {32, 1, 3, 3}, 32);
  add("Relu", {"c2"}, "r2");
  add_convolution(graph, {"r2", "c3"}, {64, 32, 3, 3});
  add("Sigmoid", {"c3"}, "g3");
  add("Mul", {"c3", "g3"}, "h3");
  add("MaxPool", {"h3"}, "p3").set_attribute("kernel_shape", std::vector<int64_t>{2, 2});
  add_convolution(graph, {"p3", "c4"}, {64, 64, 3, 3});
  add("Add", {"p3", "c4"}, "s4");
  add("Relu", {"s4"}, "r4");
  add("GlobalAveragePool", {"r4"}, "q4");
  add("HardSigmoid", {"q4"}, "g4");
  add("Mul", {"r4", "g4"}, "m4");
  add_convolution(graph, {"m4", "c5"}, {64, 64, 3, 3});
  add("Concat", {"m4", "c5"}, "k5").set_attribute("axis", int64_t{1});
  add_convolution(graph, {"k5", "c6"}, {128, 128, 3, 3});
  add("Reshape", {"c6", "flat"}, "y");
  return model;
}

CalibrationData calibration(const std::vector<TensorMap>& samples) {
  return {engine::runtime_for_tests(), system_env(), skip_samples([&samples]() -> SampleReader {
            return [&samples, next = size_t{0}]() mutable -> Result<std::optional<TensorMap>> {
              if (next == samples.size()) return std::optional<TensorMap>();
              return std::optional(samples[next++]);
            };
          })};
}

}  // namespace wattwise::quantize::fixtures
