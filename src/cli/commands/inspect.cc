// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/show.h"
#include "core/text.h"

namespace wattwise::cli {
namespace {

std::string show_optional(const Json& value) {
  return value.is_null() ? "unknown" : show_count(value.get<int64_t>());
}

std::string describe_nodes(const Json& nodes) {
  std::string text = fmt::format("\n{:<44} {:<22} {:>9} {:>9} {:>10} {:>12}\n", "node", "operator",
                                 "MACs", "params", "weights B", "activations B");
  for (const Json& node : nodes) {
    const std::string graph = node["graph"].get<std::string>();
    const std::string name = (graph.empty() ? "" : graph + "/") + node["name"].get<std::string>();
    text += fmt::format(
        "{:<44} {:<22} {:>9} {:>9} {:>10} {:>12}\n", name, node["op_type"].get<std::string>(),
        show_optional(node["macs"]), show_count(node["parameters"].get<int64_t>()),
        show_count(node["weight_bytes"].get<int64_t>()), show_optional(node["activation_bytes"]));
  }
  return text;
}

std::string describe_model(const Json& model, bool explain) {
  Lines lines;
  lines.add("model", model["model_path"].get<std::string>());
  lines.add("size", format_bytes(model["size_bytes"].get<uint64_t>()));
  lines.add("type", fmt::format("{} ({})", model["model_type"].get<std::string>(),
                                model["model_type_reason"].get<std::string>()));
  for (const Json& port : model["inputs"]) {
    lines.add("input", fmt::format("{} {}{}", port["name"].get<std::string>(),
                                   port["type"].get<std::string>(), write_json(port["shape"])));
  }
  if (const size_t count = model["inputs_with_defaults"].size(); count > 0) {
    lines.add("defaults", fmt::format("{} more inputs have default values", count));
  }
  for (const Json& port : model["outputs"]) {
    lines.add("output", fmt::format("{} {}{}", port["name"].get<std::string>(),
                                    port["type"].get<std::string>(), write_json(port["shape"])));
  }
  lines.add("opsets", readable(model["opsets"]));
  lines.add("nodes", fmt::format("{} in {} graphs", model["node_count"].get<int64_t>(),
                                 model["graph_count"].get<int64_t>()));
  lines.add("parameters", show_count(model["parameters"].get<int64_t>()));
  lines.add("weights", format_bytes(model["weight_bytes"].get<uint64_t>()));
  lines.add("MACs", fmt::format("{} (with {})", show_count(model["macs"].get<int64_t>()),
                                readable(model["assumed_sizes"])));
  if (const auto unknown = model["nodes_without_shape"].get<int64_t>(); unknown > 0) {
    lines.add("",
              fmt::format("{} multiplying nodes have unknown shapes and are not counted", unknown));
  }
  if (const auto repeated = model["nodes_in_loops"].get<int64_t>(); repeated > 0) {
    lines.add("", fmt::format("{} multiplying nodes are in loops and are counted once", repeated));
  }
  lines.add("operators", readable(model["operators"]));
  return lines.to_string() + (explain ? describe_nodes(model["nodes"]) : "");
}

}  // namespace

Action declare_inspect(Options& command) {
  auto model_path = std::make_shared<std::string>();  // shared by the bindings and the action
  command.add_text("model", *model_path, "ONNX file or model folder");
  command.add_text("--model-path", *model_path, "the same by name");
  return [model_path](Invocation& invocation) -> Result<Output> {
    auto deployment = WATTWISE_TRY(PowerEfficientDeployment::create(invocation.options));
    const std::string json = WATTWISE_TRY(deployment.inspect_model(*model_path));
    const Json document = WATTWISE_TRY(parse_json(json, "the inspection"));
    return Output{json, describe_model(document, invocation.explain)};
  };
}

}  // namespace wattwise::cli
