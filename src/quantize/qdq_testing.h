// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "measure/metrics.h"
#include "model/graph_edit.h"
#include "quantize/quantize_testing.h"

// What tests of operators between QuantizeLinear and DequantizeLinear share.
namespace wattwise::quantize::fixtures {

/// A provider's table with every role and type.
inline Json accelerator() {
  return Json::parse(R"({
    "id": "accelerator",
    "activations": [{"type": "uint8", "form": "qdq"}, {"type": "int8", "form": "qdq"},
                    {"type": "uint16", "form": "qdq", "lacks": ["PRelu"]}],
    "operators": {"Conv": "weights", "MatMul": "weights", "Gemm": "weights", "Add": "operands",
                  "Sub": "operands", "Mul": "operands", "Concat": "operands",
                  "ConvTranspose": "weights", "LayerNormalization": "normalization",
                  "Pow": "operands", "PRelu": "operands", "Gather": "move", "Pad": "move",
                  "Resize": "move",
                  "Relu": "value", "Clip": "value", "Sigmoid": "value", "HardSigmoid": "value",
                  "Softmax": "value", "GlobalAveragePool": "value",
                  "MaxPool": "move", "Reshape": "move", "Split": "move"}})");
}

inline ActivationForm accelerated(std::string_view type) {
  auto provider = read_provider_operators(accelerator());
  EXPECT_TRUE(provider.has_value()) << provider.error().to_string();
  auto form = choose_activations(std::move(*provider), type);
  EXPECT_TRUE(form.has_value()) << form.error().to_string();
  return *form;
}

inline Made make_qdq(const model::Model& original, std::string_view type,
                     const std::vector<TensorMap>& samples, const QuantizationConfig& config = {}) {
  Made made{model::clone(original), {}};
  const auto shapes = engine::infer_shapes(engine::runtime_for_tests(), system_env(), made.model,
                                           {{{"x:3", 48}}, {}});
  EXPECT_TRUE(shapes.has_value()) << shapes.error().to_string();
  const auto data = calibration(samples);
  MethodContext context{*shapes, kNoProgress, config, &data};
  context.activations = accelerated(type);
  auto outcome = (*find_method("static"))->run(made.model, context);
  EXPECT_TRUE(outcome.has_value()) << outcome.error().to_string();
  EXPECT_TRUE(model::verify(made.model).has_value());
  made.outcome = *outcome;
  return made;
}

/// Values -> who makes them, and -> who reads them.
struct Uses {
  std::map<std::string, const model::Node*> makers;
  std::map<std::string, std::vector<const model::Node*>> readers;
  explicit Uses(const model::Model& model) {
    for (const model::Node& node : model.graph.nodes) {
      for (const std::string& output : node.outputs) makers[output] = &node;
      for (const std::string& input : node.inputs) readers[input].push_back(&node);
    }
  }
};

/// Of the models' first outputs.
inline double sqnr(const model::Model& original, const model::Model& made,
                   const TensorMap& inputs) {
  const TensorMap expected = run(original, inputs);
  const TensorMap actual = run(made, inputs);
  return measure::sqnr_db(expected.begin()->second.values<float>(),
                          actual.begin()->second.values<float>());
}

}  // namespace wattwise::quantize::fixtures
