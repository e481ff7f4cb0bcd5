// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/text.h"
#include "model/inspect.h"
#include "model/walk.h"

namespace wattwise::model {
namespace {

PortInfo to_port(const Value& value) {
  PortInfo port;
  port.name = value.name;
  port.type = value.type;
  if (!value.shape) return port;
  for (const Dimension& dimension : *value.shape) {
    port.shape.push_back(dimension.value.value_or(-1));
    port.dim_names.push_back(dimension.value ? "" : dimension.name);
  }
  return port;
}

bool is_integer(const PortInfo& port) {
  return port.type == DataType::kInt64 || port.type == DataType::kInt32;
}

/// Rank 4 with 1, 3 or 4 channels on axis 1 or 3.
bool is_image(const PortInfo& port) {
  if (port.shape.size() != 4 || is_integer(port)) return false;
  const auto channels = [](int64_t n) { return n == 1 || n == 3 || n == 4; };
  return channels(port.shape[1]) || channels(port.shape[3]);
}

/// A wave [batch, samples] or a spectrogram [batch, bins, frames] in float.
bool is_sound(const PortInfo& port) {
  return !is_integer(port) && (port.shape.size() == 2 || port.shape.size() == 3);
}

bool has_operator(const Model& model, const std::vector<std::string_view>& names) {
  bool found = false;
  for_each_graph(model.graph, [&](const Graph& graph, const std::string&) {
    for (const Node& node : graph.nodes) {
      found = found || std::find(names.begin(), names.end(), node.op_type) != names.end();
    }
  });
  return found;
}

bool any_name_has(const std::vector<PortInfo>& ports, std::string_view part) {
  return std::any_of(ports.begin(), ports.end(), [&](const PortInfo& port) {
    return to_lower(port.name).find(part) != std::string::npos;
  });
}

}  // namespace

std::vector<PortInfo> input_ports(const Model& model) {
  std::vector<PortInfo> ports;
  for (const Value& input : model.graph.inputs) {
    PortInfo port = to_port(input);
    port.optional_input =
        std::any_of(model.graph.initializers.begin(), model.graph.initializers.end(),
                    [&](const Constant& constant) { return constant.name == input.name; });
    // Before IR version 4 every initializer was listed as an input too.
    if (!port.optional_input || model.ir_version >= 4) ports.push_back(std::move(port));
  }
  return ports;
}

std::vector<PortInfo> output_ports(const Model& model) {
  std::vector<PortInfo> ports;
  for (const Value& output : model.graph.outputs) ports.push_back(to_port(output));
  return ports;
}

ModelTypeGuess infer_model_type(const Model& model) {
  const auto inputs = input_ports(model);
  const auto ids = std::count_if(inputs.begin(), inputs.end(), [](const PortInfo& port) {
    return is_integer(port) && port.shape.size() == 2;
  });
  const auto caches = std::count_if(inputs.begin(), inputs.end(), [](const PortInfo& port) {
    return !is_integer(port) && port.shape.size() == 4;
  });
  const bool image = std::any_of(inputs.begin(), inputs.end(), is_image);
  const bool sound = std::any_of(inputs.begin(), inputs.end(), is_sound);
  const bool scalar = std::any_of(inputs.begin(), inputs.end(), [](const PortInfo& port) {
    return is_integer(port) && port.shape.size() <= 1;
  });
  const bool recurrent = has_operator(model, {"LSTM", "GRU", "RNN", "STFT", "DFT"});
  if (ids > 0 && caches >= 2) return {"llm", "token ids and attention caches among the inputs"};
  if (ids > 0) return {"text", "its inputs are token ids"};
  if (image) return {"vision", "an input of rank 4 has 1, 3 or 4 channels"};
  if (sound && (recurrent || scalar || has_operator(model, {"Conv"}))) {
    return {"audio", "float input of rank 2 or 3 with recurrent or convolution layers"};
  }
  if (any_name_has(inputs, "audio") || any_name_has(inputs, "wave")) {
    return {"audio", "the name of an input"};
  }
  if (has_operator(model, {"Conv", "MaxPool"})) return {"vision", "it has convolutions"};
  return {"text", "nothing speaks for images or sound"};
}

}  // namespace wattwise::model
