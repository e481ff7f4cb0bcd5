// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/show.h"

namespace wattwise::cli {
namespace {

std::string show_port(const PortInfo& port) {
  std::string shape;
  for (size_t i = 0; i < port.shape.size(); ++i) {
    const bool free = port.shape[i] < 0;
    const std::string name = port.dim_names[i].empty() ? "?" : port.dim_names[i];
    shape += (i ? ", " : "") + (free ? name : std::to_string(port.shape[i]));
  }
  return fmt::format("{} {}[{}]", port.name, data_type_name(port.type), shape);
}

std::string describe(const LoadResult& result, bool explain) {
  Lines lines;
  lines.add(result.status, result.model_path);
  lines.add("type", result.model_type);
  for (const PortInfo& port : result.inputs) lines.add("input", show_port(port));
  for (const PortInfo& port : result.outputs) lines.add("output", show_port(port));
  lines.add("runs on", result.operating_point);
  lines.add("took", fmt::format("{:.1f} ms (measured)", result.loading_time_seconds * 1e3));
  const auto& figures = result.power_metrics.figures;
  if (const auto it = figures.find("energy_per_inference_mj"); it != figures.end()) {
    lines.add("energy per inference", show_figure(it->second, "mJ"));
  }
  return lines.to_string() + (explain ? show_decisions(result.decisions) : "");
}

}  // namespace

Action declare_load(Options& command) {
  auto options = std::make_shared<LoadOptions>();  // shared by the option bindings and the action
  command.add_required_text("--model-path", options->model_path, "ONNX file or model folder");
  return [options](Invocation& invocation) -> Result<Output> {
    auto deployment = WATTWISE_TRY(PowerEfficientDeployment::create(invocation.options));
    const auto result = WATTWISE_TRY(deployment.load_model(*options));
    WATTWISE_TRY(deployment.cleanup());
    return Output{to_json(result), describe(result, invocation.explain)};
  };
}

}  // namespace wattwise::cli
