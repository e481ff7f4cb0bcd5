// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "model/graph.h"

// Small models that tests make instead of keeping files.
namespace wattwise::model {

/// Floats in [-1, 1]; the same for the same seed on every platform.
inline std::vector<float> random_floats(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> out(count);
  for (float& value : out) {
    value = (static_cast<float>(random() % 20001) - 10000) / 10000;
  }
  return out;
}

inline Node make_node(std::string op, std::vector<std::string> inputs, std::string output) {
  Node out;
  out.name = output + "_" + op;
  out.op_type = std::move(op);
  out.inputs = std::move(inputs);
  out.outputs = {std::move(output)};
  return out;
}

/// A dimension of -1 is free and named after the value: "x_0".
inline Value make_value(std::string name, DataType type, const std::vector<int64_t>& shape) {
  Value out;
  out.name = std::move(name);
  out.type = type;
  out.shape.emplace();
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    const bool free = shape[axis] < 0;
    out.shape->push_back({free ? std::nullopt : std::optional(shape[axis]),
                          free ? out.name + "_" + std::to_string(axis) : "", ""});
  }
  return out;
}

/// Gather(table, ids) -> MatMul(w1) -> Identity -> MatMul(w2 in a Constant node).
inline Model text_like() {
  Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 17}};
  model.graph.name = "text";
  model.graph.inputs = {make_value("ids", DataType::kInt64, {1, 8})};
  model.graph.outputs = {make_value("y", DataType::kFloat, {1, 8, 32})};
  model.graph.initializers = {make_float_constant("table", {200, 64}, random_floats(200 * 64, 1)),
                              make_float_constant("w1", {64, 48}, random_floats(64 * 48, 2))};
  Node constant = make_node("Constant", {}, "w2");
  constant.set_attribute("value", std::make_shared<Constant>(make_float_constant(
                                      "", {48, 32}, random_floats(48 * 32, 3))));
  model.graph.nodes = {constant, make_node("Gather", {"table", "ids"}, "e"),
                       make_node("MatMul", {"e", "w1"}, "h"), make_node("Identity", {"h"}, "i"),
                       make_node("MatMul", {"i", "w2"}, "y")};
  return model;
}

/// Conv -> Relu -> ConvTranspose, at an operator set without per-channel DequantizeLinear.
inline Model image_like() {
  Model model;
  model.ir_version = 6;
  model.opset_imports = {{"", 11}};
  model.graph.name = "image";
  model.graph.inputs = {make_value("x", DataType::kFloat, {1, 8, 10, 10})};
  model.graph.outputs = {make_value("y", DataType::kFloat, {1, 4, 10, 10})};
  model.graph.initializers = {
      make_float_constant("k1", {16, 8, 3, 3}, random_floats(16 * 8 * 9, 4)),
      make_float_constant("k2", {16, 4, 3, 3}, random_floats(16 * 4 * 9, 5))};
  model.graph.nodes = {make_node("Conv", {"x", "k1"}, "h"), make_node("Relu", {"h"}, "r"),
                       make_node("ConvTranspose", {"r", "k2"}, "y")};
  return model;
}

/// y = Relu(x * w + b), with a free batch.
inline Model dense_like(int64_t inputs = 4, int64_t outputs = 3) {
  Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 17}};
  model.graph.name = "dense";
  model.graph.inputs = {make_value("x", DataType::kFloat, {-1, inputs})};
  model.graph.outputs = {make_value("y", DataType::kFloat, {-1, outputs})};
  const auto count = static_cast<size_t>(inputs * outputs);
  model.graph.initializers = {
      make_float_constant("w", {inputs, outputs}, random_floats(count, 6)),
      make_float_constant("b", {outputs}, random_floats(static_cast<size_t>(outputs), 7))};
  model.graph.nodes = {make_node("MatMul", {"x", "w"}, "m"), make_node("Add", {"m", "b"}, "s"),
                       make_node("Relu", {"s"}, "y")};
  return model;
}

/// y, state = LSTM(Conv(x)) with a bias, 12 steps of 32 channels into 40 units, in each branch of
/// an If over `flag`, as models with a choice of rates have it.
inline Model speech_like(int64_t hidden = 40) {
  const auto branch = [hidden](uint32_t seed) {
    const auto count = [](int64_t size) { return static_cast<size_t>(size); };
    auto graph = std::make_shared<Graph>();
    graph->name = "branch";
    graph->outputs = {make_value("y", DataType::kFloat, {12, 1, 1, hidden})};
    graph->initializers = {
        make_float_constant("k", {32, 8, 3}, random_floats(32 * 8 * 3, seed)),
        make_float_constant("w", {1, 4 * hidden, 32}, random_floats(count(128 * hidden), seed + 1)),
        make_float_constant("r", {1, 4 * hidden, hidden},
                            random_floats(count(4 * hidden * hidden), seed + 2)),
        make_float_constant("b", {1, 8 * hidden}, random_floats(count(8 * hidden), seed + 3))};
    Node transpose = make_node("Transpose", {"c"}, "t");
    transpose.set_attribute("perm", std::vector<int64_t>{2, 0, 1});
    Node lstm = make_node("LSTM", {"t", "w", "r", "b"}, "y");
    lstm.set_attribute("hidden_size", hidden);
    lstm.set_attribute("layout", int64_t{0});  // as exporters write it from set 14 on
    graph->nodes = {make_node("Conv", {"x", "k"}, "c"), transpose, lstm};
    return graph;
  };
  Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 16}};
  model.graph.name = "speech";
  model.graph.inputs = {make_value("x", DataType::kFloat, {1, 8, 14}),
                        make_value("flag", DataType::kBool, {})};
  model.graph.outputs = {make_value("out", DataType::kFloat, {12, 1, 1, hidden})};
  Node choice = make_node("If", {"flag"}, "out");
  choice.set_attribute("then_branch", branch(11));
  choice.set_attribute("else_branch", branch(21));
  model.graph.nodes = {choice};
  return model;
}

}  // namespace wattwise::model
