// SPDX-License-Identifier: Apache-2.0
#include "quantize/noise.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/session.h"
#include "model/graph_edit.h"
#include "model/walk.h"
#include "optimize/graph_editor.h"
#include "quantize/activation_grid.h"

namespace wattwise::quantize {
namespace {

/// Operators that hide how far a decision is from flipping.
constexpr std::array<std::string_view, 3> kDeciders = {"Softmax", "LogSoftmax", "Sigmoid"};

model::Value float_value(std::string name) {
  model::Value value;
  value.name = std::move(name);
  value.type = DataType::kFloat;
  return value;
}

std::string error_name(const std::string& value) { return value + "_error"; }

/// A zero that broadcasts to the tensor.
Tensor nothing_like(const Tensor& tensor) {
  return make_float_tensor(std::vector<int64_t>(tensor.shape.size(), 1), std::vector<float>{0});
}

/// The model with these outputs; every one of the values has an input added to it.
Result<model::Model> disturbed(const model::Model& model, const TensorMap& values,
                               const std::vector<std::string>& scores) {
  model::Model out = model::clone(model);
  out.graph.outputs.clear();
  for (const std::string& name : scores) out.graph.outputs.push_back(float_value(name));
  optimize::ModelEditor editor(out);
  optimize::GraphEditor& graph = editor.graphs().front();
  for (const auto& [value, tensor] : values) {
    const std::string sum = graph.unique(value + "_disturbed");
    graph.replace_uses(value, sum);
    graph.add(optimize::make_node("Add", {value, error_name(value)}, sum));
  }
  WATTWISE_TRY(editor.finish());
  for (const auto& [value, tensor] : values) {
    model::Value input = float_value(error_name(value));
    input.shape.emplace(tensor.shape.size());
    out.graph.inputs.push_back(std::move(input));
  }
  model::remove_unused(out.graph);
  return out;
}

/// What 8 bits lose of a tensor.
Tensor rounding_error(const Tensor& tensor, const Range& range) {
  const Grid grid = make_grid({range, {}, {}});
  const auto zero = static_cast<float>(grid.zero);
  const auto values = tensor.values<float>();
  std::vector<float> errors(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const float q = std::clamp(std::nearbyint(values[i] / grid.scale) + zero, 0.0F, 255.0F);
    errors[i] = (q - zero) * grid.scale - values[i];
  }
  return make_float_tensor(tensor.shape, errors);
}

double variance_sum(std::span<const float> values) {
  double sum = 0;
  double squares = 0;
  for (const double x : values) {
    sum += x;
    squares += x * x;
  }
  return squares - sum * sum / static_cast<double>(values.size());
}

/// Sum over the outputs; an output that never varies counts as it is.
double noise_of(const TensorMap& clean, const TensorMap& noisy) {
  double noise = 0;
  for (const auto& [name, tensor] : clean) {
    const auto a = tensor.values<float>();
    const Tensor& other = noisy.at(name);
    const auto b = other.values<float>();
    double error = 0;
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
      const double difference = static_cast<double>(a[i]) - b[i];
      error += difference * difference;
    }
    const double variance = variance_sum(a);
    noise += variance > 0 ? error / variance : error;
  }
  return noise;
}

}  // namespace

std::vector<std::string> score_names(const model::Graph& graph) {
  std::vector<std::string> names;
  for (const model::Value& output : graph.outputs) {
    if (output.type != DataType::kFloat) continue;
    std::string name = output.name;
    for (const model::Node& node : graph.nodes) {
      if (node.is_standard() && node.outputs[0] == name &&
          std::find(kDeciders.begin(), kDeciders.end(), node.op_type) != kDeciders.end()) {
        name = node.inputs[0];
        break;
      }
    }
    names.push_back(std::move(name));
  }
  return names;
}

Result<NoiseTable> measure_noise(const model::Model& model, const RangeTable& ranges,
                                 const CalibrationData& data, const Progress& progress) {
  const std::vector<std::string> scores = score_names(model.graph);
  if (scores.empty()) return NoiseTable();
  std::vector<std::string> values;
  for (const auto& [value, range] : ranges) values.push_back(value);
  const TensorMap sample = WATTWISE_TRY(small_sample(data));
  const TensorMap clean_values = WATTWISE_TRY(compute_values(model, values, data, sample));
  engine::SessionOptions options;
  options.memory_pattern = false;
  const model::Model noisy = WATTWISE_TRY(disturbed(model, clean_values, scores));
  const auto session =
      WATTWISE_TRY(engine::open_session(data.runtime, data.env, noisy, "the model", options));
  TensorMap inputs = sample;
  for (const auto& [value, tensor] : clean_values) inputs[error_name(value)] = nothing_like(tensor);
  const auto run = [&]() -> Result<TensorMap> {
    TensorMap fed;
    for (const PortInfo& port : session->inputs()) fed[port.name] = inputs.at(port.name);
    return session->run(fed);
  };
  const TensorMap clean = WATTWISE_TRY(run());
  NoiseTable noise;
  for (const auto& [value, tensor] : clean_values) {
    WATTWISE_TRY(report_progress(progress, "measuring what each value may lose", 0.4));
    Tensor& error = inputs.at(error_name(value));
    error = rounding_error(tensor, ranges.at(value));
    noise[value] = noise_of(clean, WATTWISE_TRY(run()));
    error = nothing_like(tensor);
  }
  return noise;
}

namespace {

/// Puts other values in place of those that the name has, wherever they are defined.
void replace_constant(const model::Constant& replacement, model::Model& model) {
  const model::ConstantIndex constants(model.graph);
  model::for_each_graph(model.graph, [&](model::Graph& graph, const std::string&) {
    model::Constant* known = constants.find(graph, replacement.name);
    if (!known || known->shape != replacement.shape) return;
    known->type = replacement.type;
    known->data = replacement.data;
  });
}

}  // namespace

Result<std::vector<double>> measure_replacements(const model::Model& model,
                                                 const std::vector<model::Constant>& replacements,
                                                 const CalibrationData& data,
                                                 const Progress& progress) {
  std::vector<double> noise;
  const std::vector<std::string> scores = score_names(model.graph);
  if (scores.empty() || replacements.empty()) return noise;
  const TensorMap sample = WATTWISE_TRY(small_sample(data));
  const TensorMap clean = WATTWISE_TRY(compute_values(model, scores, data, sample));
  for (const model::Constant& replacement : replacements) {
    WATTWISE_TRY(report_progress(progress, "measuring what each weight may lose", 0.35));
    model::Model changed = model::clone(model);
    replace_constant(replacement, changed);
    const TensorMap noisy = WATTWISE_TRY(compute_values(changed, scores, data, sample));
    noise.push_back(noise_of(clean, noisy));
  }
  return noise;
}

}  // namespace wattwise::quantize
