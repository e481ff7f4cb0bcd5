// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/sample_options.h"
#include "cli/show.h"
#include "core/text.h"

namespace wattwise::cli {
namespace {

struct OptimizeArguments {
  OptimizeOptions optimize;
  SampleOptions samples;
  OpsetOption opset;
};

std::string describe_passes(const Json& passes) {
  std::string text = fmt::format("\n{:<34} {:>7} {:>9}\n", "pass", "changed", "ms");
  for (const Json& pass : passes) {
    text += fmt::format("{:<34} {:>7} {:>9.2f}\n", pass["name"].get<std::string>(),
                        pass["changed"].get<int64_t>(), pass["milliseconds"].get<double>());
  }
  return text;
}

std::string describe_decisions(const Json& decisions) {
  std::string text;
  for (const Json& decision : decisions) {
    text +=
        fmt::format("{} {}: {}\n", decision["action"].get<std::string>(),
                    decision["subject"].get<std::string>(), decision["reason"].get<std::string>());
  }
  return text;
}

std::string describe_rewriting(const Json& result, bool explain) {
  Lines lines;
  const Json& output = result["output_model_path"];
  lines.add("ready", output.is_null() ? "(dry run, nothing written)" : output.get<std::string>());
  lines.add("size",
            fmt::format("{} -> {}", format_bytes(result["original_size_bytes"].get<uint64_t>()),
                        format_bytes(result["optimized_size_bytes"].get<uint64_t>())));
  lines.add("nodes", fmt::format("{} -> {}", result["original_node_count"].get<int64_t>(),
                                 result["optimized_node_count"].get<int64_t>()));
  for (const Json& item : result["optimizations_applied"]) {
    lines.add("applied", fmt::format("{} ({})", item["name"].get<std::string>(),
                                     item["node_count"].get<int64_t>()));
  }
  for (const auto& [name, agreement] : result["accuracy"]["outputs"].items()) {
    lines.add(name, fmt::format("largest error {} of the largest value",
                                readable(agreement["max_relative_error"])));
  }
  const Json& execution = result["accuracy"]["execution"];
  if (execution != "whole") lines.add("run", execution.get<std::string>());
  std::string text = lines.to_string();
  if (explain) {
    text += describe_passes(result["passes"]) + "\n" + describe_decisions(result["decisions"]);
  }
  return text;
}

}  // namespace

Action declare_optimize(Options& command) {
  auto arguments =
      std::make_shared<OptimizeArguments>();  // shared by the option bindings and the action
  command.add_required_text("model,--model-path", arguments->optimize.model_path,
                            "ONNX file or model folder");
  command.add_text("--output-path", arguments->optimize.output_path,
                   "default: <stem>_optimized.onnx beside the input");
  command.add_text("--data", arguments->optimize.data.path,
                   "real inputs to compare on: a folder, a text file, or an array file");
  add_sample_option(command, arguments->samples);
  add_fix_input_option(command, arguments->samples,
                       "an input that becomes a constant, or a dimension that gets a size");
  add_opset_option(command, arguments->opset);
  command.add_flag("--measure", arguments->optimize.measure,
                   "time on this machine what each pass is worth; leave out what is slower");
  command.add_flag("--dry-run", arguments->optimize.dry_run, "rewrite and report, write nothing");
  return [arguments](Invocation& invocation) -> Result<Output> {
    OptimizeOptions options = arguments->optimize;
    options.samples = WATTWISE_TRY(parse_samples(arguments->samples));
    options.fixed_inputs = WATTWISE_TRY(parse_fixed_inputs(arguments->samples));
    apply_opset(arguments->opset, invocation.options);
    auto deployment = WATTWISE_TRY(PowerEfficientDeployment::create(invocation.options));
    const std::string json = WATTWISE_TRY(deployment.optimize_model(options));
    const Json document = WATTWISE_TRY(parse_json(json, "the result"));
    return Output{json, describe_rewriting(document, invocation.explain)};
  };
}

}  // namespace wattwise::cli
