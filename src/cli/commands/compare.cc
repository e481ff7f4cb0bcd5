// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <limits>
#include <memory>

#include "cli/command.h"
#include "cli/sample_options.h"
#include "cli/show.h"
#include "core/text.h"

namespace wattwise::cli {
namespace {

struct CompareArguments {
  CompareOptions compare;
  SampleOptions samples;
  EvaluationOptions evaluation;
};

/// A figure that may be missing, in the given format.
std::string show(const Json& value, fmt::format_string<double> format) {
  return value.is_number() ? fmt::format(format, value.get<double>()) : "not available";
}

/// "inf" is what an exact match is written as.
std::string show_sqnr(const Json& value) {
  if (value.is_string()) return format_decibels(std::numeric_limits<double>::infinity());
  return show(value, "{:.1f} dB");
}

std::string show_interval(const Json& interval, std::string_view unit) {
  return fmt::format("{:.4g}{} ({:.4g} to {:.4g})", interval["median"].get<double>(), unit,
                     interval["low"].get<double>(), interval["high"].get<double>());
}

std::string describe_comparison(const Json& comparison) {
  Lines lines;
  for (const char* side : {"first", "second"}) {
    const Json& facts = comparison[side];
    const Json& memory = facts["load_memory_bytes"];
    lines.add(side,
              fmt::format(
                  "{} ({}, loads in {:.1f} ms, {} more memory)", facts["path"].get<std::string>(),
                  format_bytes(facts["size_bytes"].get<uint64_t>()), facts["load_ms"].get<double>(),
                  memory.is_null() ? "unknown" : format_bytes(memory.get<uint64_t>())));
  }
  for (const auto& [name, output] : comparison["outputs"].items()) {
    lines.add(name, fmt::format("SQNR {}, cosine {}, largest error {}",
                                show_sqnr(output["sqnr_db"]), show(output["cosine"], "{:.6f}"),
                                show(output["max_abs_error"], "{:.3g}")));
  }
  lines.add(
      "drop",
      fmt::format("{:.3f} % ({}, {} samples: {})", comparison["drop_percent"].get<double>(),
                  comparison["compared_by"].get<std::string>(),
                  comparison["samples"].get<int64_t>(), comparison["data"].get<std::string>()));
  if (const Json& task = comparison["task"]; !task.is_null()) {
    lines.add("task", fmt::format("{}: {:.6g} and {:.6g}, {} samples from {}",
                                  task["metric"].get<std::string>(), task["original"].get<double>(),
                                  task["prepared"].get<double>(), task["samples"].get<int64_t>(),
                                  task["data"].get<std::string>()));
  }
  lines.add("first CPU", show_interval(comparison["first_cpu_ms"], " ms"));
  lines.add("second CPU", show_interval(comparison["second_cpu_ms"], " ms"));
  lines.add("speed", show_interval(comparison["speed_ratio"], "x") +
                         " first / second, 95 % interval, measured in turn");
  if (const Json& parting = comparison["first_divergence"]; !parting.is_null()) {
    lines.add("parts at", fmt::format("{} ({}): {:.2g} of its largest value; last equal: {}",
                                      parting["value"].get<std::string>(),
                                      parting["op_type"].get<std::string>(),
                                      parting["max_relative_error"].get<double>(),
                                      parting["last_equal"].get<std::string>()));
  }
  return lines.to_string();
}

}  // namespace

Action declare_compare(Options& command) {
  auto arguments =
      std::make_shared<CompareArguments>();  // shared by the option bindings and the action
  CompareOptions& options = arguments->compare;
  command.add_required_text("first", options.first_path, "the reference model");
  command.add_required_text("second", options.second_path, "the model held against it");
  command.add_text("--data", options.data.path,
                   "real inputs, all of which are run: a folder, a text file, or an array file");
  command.add_text("--plot", options.plot_path,
                   "draws errors along the graph and CPU times into this .html or .svg file");
  add_evaluation_options(command, arguments->evaluation);
  add_sample_option(command, arguments->samples);
  add_fix_input_option(command, arguments->samples,
                       "an input's value, or a dimension's size, where the second has it for good");
  return [arguments](Invocation& invocation) -> Result<Output> {
    CompareOptions compare = arguments->compare;
    compare.samples = WATTWISE_TRY(parse_samples(arguments->samples));
    compare.fixed_inputs = WATTWISE_TRY(parse_fixed_inputs(arguments->samples));
    compare.evaluation = to_evaluation(arguments->evaluation);
    auto deployment = WATTWISE_TRY(PowerEfficientDeployment::create(invocation.options));
    const std::string json = WATTWISE_TRY(deployment.compare_models(compare));
    const Json document = WATTWISE_TRY(parse_json(json, "the comparison"));
    return Output{json, describe_comparison(document)};
  };
}

}  // namespace wattwise::cli
