// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/parse_input.h"
#include "cli/show.h"
#include "core/text.h"

namespace wattwise::cli {
namespace {

struct Arguments {
  std::string first;
  std::string second;
  std::vector<std::string> samples;
};

/// A figure that may be missing, in the given format.
std::string show(const Json& value, fmt::format_string<double> format) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_number() ? fmt::format(format, value.get<double>()) : "not available";
}

std::string show_interval(const Json& interval, std::string_view unit) {
  return fmt::format("{:.4g}{} ({:.4g} to {:.4g})", interval["median"].get<double>(), unit,
                     interval["low"].get<double>(), interval["high"].get<double>());
}

std::string describe(const Json& comparison) {
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
    lines.add(name, fmt::format("SQNR {} dB, cosine {}, largest error {}",
                                show(output["sqnr_db"], "{:.1f}"), show(output["cosine"], "{:.6f}"),
                                show(output["max_abs_error"], "{:.3g}")));
  }
  lines.add(
      "drop",
      fmt::format("{:.3f} % ({}, {} samples: {})", comparison["drop_percent"].get<double>(),
                  comparison["compared_by"].get<std::string>(),
                  comparison["samples"].get<int64_t>(), comparison["data"].get<std::string>()));
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

Action declare_compare(CLI::App& command) {
  auto arguments = std::make_shared<Arguments>();  // shared by the option bindings and the action
  command.add_option("first", arguments->first, "the reference model")->required();
  command.add_option("second", arguments->second, "the model held against it")->required();
  command.add_option("--sample", arguments->samples, "an input: text or a file; may be repeated")
      ->allow_extra_args(false);
  return [arguments](Invocation& invocation) -> Result<Output> {
    std::vector<InferenceInputs> samples;
    for (const std::string& sample : arguments->samples) {
      samples.push_back(WATTWISE_TRY(parse_inputs({sample})));
    }
    auto deployment = WATTWISE_TRY(PowerEfficientDeployment::create(invocation.options));
    const std::string json =
        WATTWISE_TRY(deployment.compare_models(arguments->first, arguments->second, samples));
    const Json document = WATTWISE_TRY(parse_json(json, "the comparison"));
    return Output{json, describe(document)};
  };
}

}  // namespace wattwise::cli
