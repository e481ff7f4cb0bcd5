// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/show.h"

namespace wattwise::cli {
namespace {

std::string describe_model(const Json& model) {
  const Json& statistics = model["statistics"];
  Lines lines;
  lines.add(readable(model["status"]), readable(model["model_path"]));
  const Json& preparation = model["preparation"];
  if (preparation.is_object()) {
    for (const char* key : {"error", "input_model_path", "output_model_path", "quantization_method",
                            "size_reduction_ratio", "finished_at"}) {
      if (preparation.contains(key)) lines.add(key, readable(preparation[key]));
    }
  }
  for (const auto& [key, value] : statistics.items()) lines.add(key, readable(value));
  return lines.to_string();
}

std::string describe_all(const Json& status) {
  Lines lines;
  for (const char* key :
       {"deployment_target", "power_profile", "deployed_models_count", "failed_models_count"}) {
    lines.add(key, readable(status[key]));
  }
  for (const auto& [part, state] : status["device_state"].items()) lines.add(part, readable(state));
  std::string text = lines.to_string();
  for (const auto& [path, model] : status["deployed_models"].items()) {
    text += "\n" + describe_model(model);
  }
  return text;
}

}  // namespace

Action declare_status(Options& command) {
  auto model_path = std::make_shared<std::string>();  // shared by the binding and the action
  command.add_text("--model-path", *model_path, "one model only");
  return [model_path](Invocation& invocation) -> Result<Output> {
    auto deployment = WATTWISE_TRY(PowerEfficientDeployment::create(invocation.options));
    const std::string json = WATTWISE_TRY(deployment.get_deployment_status(*model_path));
    const Json status = WATTWISE_TRY(parse_json(json, "the status"));
    return Output{json, model_path->empty() ? describe_all(status) : describe_model(status)};
  };
}

}  // namespace wattwise::cli
