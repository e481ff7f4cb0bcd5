// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/text.h"
#include "model/inspect.h"
#include "model/quote.h"
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

/// What a TypeProto that is no dense tensor stands for, by its first field.
std::string_view kind_of_type(std::string_view bytes) {
  constexpr std::array<std::pair<int, std::string_view>, 4> kKinds = {
      {{4, "a sequence"}, {5, "a map"}, {8, "a sparse tensor"}, {9, "an optional value"}}};
  const int field = static_cast<unsigned char>(bytes.front()) >> 3;
  const auto row = std::find_if(kKinds.begin(), kKinds.end(),
                                [&](const auto& kind) { return kind.first == field; });
  return row == kKinds.end() ? "of another kind" : row->second;
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

Result<void> check_ports(const Model& model) {
  const auto check = [](const std::vector<Value>& values, std::string_view what) -> Result<void> {
    for (const Value& value : values) {
      if (value.raw_type.empty()) continue;
      return Error(ErrorCode::kUnsupported,
                   fmt::format("the {} {} is {}, and only tensors are supported; export the model "
                               "with tensors in its place",
                               what, quoted(value.name), kind_of_type(value.raw_type)));
    }
    return {};
  };
  WATTWISE_TRY(check(model.graph.inputs, "input"));
  return check(model.graph.outputs, "output");
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
