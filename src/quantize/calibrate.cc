// SPDX-License-Identifier: Apache-2.0
#include "quantize/calibrate.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/session.h"
#include "model/graph_edit.h"

namespace wattwise::quantize {
namespace {

/// The model with these values as its only outputs.
model::Model expose(const model::Model& model, const std::vector<std::string>& values) {
  model::Model exposed = model::clone(model);
  exposed.graph.outputs.clear();
  for (const std::string& name : values) {
    model::Value output;
    output.name = name;
    output.type = DataType::kFloat;
    exposed.graph.outputs.push_back(std::move(output));
  }
  model::remove_unused(exposed.graph);
  return exposed;
}

/// The session's inputs among the sample's: what only left-out nodes read is no input any more.
TensorMap inputs_for(const engine::Session& session, const TensorMap& sample) {
  TensorMap inputs;
  for (const PortInfo& port : session.inputs()) {
    if (const auto it = sample.find(port.name); it != sample.end()) inputs.insert(*it);
  }
  return inputs;
}

}  // namespace

Result<ActivationTable> gather_activations(const model::Model& model,
                                           const std::vector<std::string>& values,
                                           const CalibrationData& data, const Progress& progress) {
  ActivationTable table;
  // Values that are fed are not computed: the sample has them.
  std::vector<std::string> computed;
  std::vector<std::string> fed;
  for (const std::string& name : values) {
    const auto& inputs = model.graph.inputs;
    const bool is_input = std::any_of(inputs.begin(), inputs.end(),
                                      [&](const auto& input) { return input.name == name; });
    (is_input ? fed : computed).push_back(name);
  }
  engine::SessionOptions options;
  options.memory_pattern = false;  // samples differ in shape
  const auto session = WATTWISE_TRY(
      engine::open_session(data.runtime, data.env, expose(model, computed), "the model", options));
  SampleReader next = data.open();
  int64_t count = 0;
  for (;; ++count) {
    const auto sample = WATTWISE_TRY(next());
    if (!sample) break;
    const TensorMap outputs = WATTWISE_TRY(session->run(inputs_for(*session, *sample)));
    for (const auto& [name, tensor] : outputs) table[name].add(tensor.values<float>());
    for (const std::string& name : fed) table[name].add(sample->at(name).values<float>());
    WATTWISE_TRY(report_progress(progress, fmt::format("calibrating, sample {}", count + 1), 0.3));
  }
  if (count == 0) {
    return Error(ErrorCode::kInvalidArgument,
                 "the calibration data holds no sample; pass inputs like those of the application");
  }
  return table;
}

}  // namespace wattwise::quantize
