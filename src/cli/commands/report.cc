// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "core/atomic_file.h"

namespace wattwise::cli {
namespace {

struct ReportArguments {
  std::string model_path;
  std::string format = "markdown";
  std::string output;
};

/// Whatever is there and no plain file would be replaced or be in the way.
Result<void> check_output(const std::string& path) {
  const auto there = path.empty() ? std::nullopt : system_env().stat(path);
  if (!there || there->is_regular) return {};
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("the output {} is {}; name another file, or leave --output out to print",
                           path, there->is_directory ? "a folder" : "a device, pipe or socket"));
}

Result<void> write_output(const std::string& path, const std::string& text) {
  auto written = write_file_atomically(system_env(), path, text);
  if (written || written.error().code() == ErrorCode::kExhausted) return written;
  return Error(ErrorCode::kIo,
               fmt::format("the output {} cannot be written: {}; name another place with --output",
                           path, written.error().message()));
}

}  // namespace

Action declare_report(Options& command) {
  auto arguments =
      std::make_shared<ReportArguments>();  // shared by the option bindings and the action
  command.add_text("--model-path", arguments->model_path, "one model only");
  command.add_text("--format", arguments->format, "json, markdown or html");
  command.add_text("--output", arguments->output, "write to this file instead of printing");
  return [arguments](Invocation& invocation) -> Result<Output> {
    WATTWISE_TRY(check_output(arguments->output));
    auto deployment = WATTWISE_TRY(PowerEfficientDeployment::create(invocation.options));
    std::string text = WATTWISE_TRY(
        deployment.get_power_efficiency_report(arguments->model_path, arguments->format));
    if (arguments->output.empty()) {
      const std::string json =
          WATTWISE_TRY(deployment.get_power_efficiency_report(arguments->model_path, "json"));
      return Output{json, text};
    }
    WATTWISE_TRY(write_output(arguments->output, text));
    const Json done = {{"output", arguments->output}, {"format", arguments->format}};
    return Output{write_json(done, 2), fmt::format("report written to {}\n", arguments->output)};
  };
}

}  // namespace wattwise::cli
