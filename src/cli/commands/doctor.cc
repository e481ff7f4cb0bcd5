// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/show.h"

namespace wattwise::cli {
namespace {

std::string describe_diagnosis(const Json& diagnosis) {
  Lines lines;
  const Json& cpu = diagnosis["cpu"];
  lines.add("cpu", fmt::format("{}, {} cores, {}", cpu["model"].get<std::string>(),
                               cpu["logical_cores"].get<int>(), readable(cpu["isa"])));
  const Json& runtime = diagnosis["onnxruntime"];
  lines.add("onnxruntime", runtime.contains("version")
                               ? fmt::format("{} at {}", runtime["version"].get<std::string>(),
                                             runtime["library"].get<std::string>())
                               : runtime["error"].get<std::string>());
  for (const Json& provider : diagnosis["providers"]) {
    const bool available = provider["available"].get<bool>();
    lines.add("provider " + provider["id"].get<std::string>(),
              available ? "available" : "not available: " + provider["reason"].get<std::string>());
  }
  for (const Json& finding : diagnosis["sensors"]) {
    const std::string unlock = finding["unlock"].get<std::string>();
    lines.add(finding["subject"].get<std::string>(),
              fmt::format("{}{}{}", finding["available"].get<bool>() ? "" : "not available: ",
                          finding["detail"].get<std::string>(),
                          unlock.empty() ? "" : "; to unlock: " + unlock));
  }
  return lines.to_string();
}

}  // namespace

Action declare_doctor(Options&) {
  return [](Invocation& invocation) -> Result<Output> {
    auto deployment = WATTWISE_TRY(PowerEfficientDeployment::create(invocation.options));
    const std::string json = WATTWISE_TRY(deployment.diagnose());
    const Json document = WATTWISE_TRY(parse_json(json, "the diagnosis"));
    return Output{json, describe_diagnosis(document)};
  };
}

}  // namespace wattwise::cli
