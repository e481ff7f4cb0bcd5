// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/show.h"

namespace wattwise::cli {
namespace {

std::string describe_settings(const Json& settings) {
  Lines lines;
  for (const auto& [key, setting] : settings.items()) {
    lines.add(key, fmt::format("{:<14} from {}", write_json(setting["value"]),
                               setting["layer"].get<std::string>()));
  }
  return lines.to_string();
}

}  // namespace

Action declare_config(Options& command) {
  command.add_word("show", "print every setting with its value and layer");
  return [](Invocation& invocation) -> Result<Output> {
    auto deployment = WATTWISE_TRY(PowerEfficientDeployment::create(invocation.options));
    const std::string json = deployment.explain_config();
    const Json document = WATTWISE_TRY(parse_json(json, "the configuration"));
    return Output{json, describe_settings(document)};
  };
}

}  // namespace wattwise::cli
