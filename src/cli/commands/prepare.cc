// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "cli/command.h"
#include "cli/sample_options.h"
#include "cli/show.h"
#include "core/text.h"

namespace wattwise::cli {
namespace {

struct PrepareArguments {
  PrepareOptions prepare;
  SampleOptions samples;
  OpsetOption opset;
  EvaluationOptions evaluation;
  bool no_bundle = false;
  bool no_cache = false;
};

std::string describe_accuracy(const Accuracy& accuracy) {
  std::string worst;
  for (const OutputAccuracy& output : accuracy.outputs) {
    worst += fmt::format("; {}: SQNR {}, cosine {:.6f}", output.output,
                         format_decibels(output.sqnr_db), output.cosine);
    if (worst.size() > 200) break;
  }
  const bool is_whole = accuracy.execution == "whole";
  const std::string run = is_whole ? "" : ", run " + accuracy.execution;
  if (const auto& task = accuracy.task) {
    return fmt::format("drop {:.3f} % ({}: {:.6g} to {:.6g}, {} samples from {}{}){}",
                       accuracy.drop_percent, task->metric, task->original, task->prepared,
                       task->samples, task->data, run, worst);
  }
  return fmt::format("drop {:.3f} % ({}, {}{}){}", accuracy.drop_percent, accuracy.compared_by,
                     accuracy.data, run, worst);
}

std::string describe_applied(const PrepareResult& result) {
  std::vector<std::string> parts;
  for (const auto& item : result.optimizations_applied) {
    parts.push_back(fmt::format("{} ({})", item.name, item.node_count));
  }
  return parts.empty() ? "none" : join(parts, ", ");
}

void add_figures(const PrepareResult& result, Lines& lines) {
  const PowerEfficiency& cost = result.power_efficiency;
  const auto show = [&](const char* label, const char* id, const char* unit) {
    if (const auto it = cost.figures.find(id); it != cost.figures.end()) {
      lines.add(label, show_figure(it->second, unit));
    }
  };
  lines.add("on device",
            fmt::format("{} at {:g} inferences/s", cost.device, cost.request_rate_qps));
  show("latency", "latency_ms", "ms");
  show("energy per inference", "energy_per_inference_mj", "mJ");
  show("power", "power_consumption_mw", "mW");
  show("battery", "battery_impact_percent_per_hour", "%/h");
  show("energy reduction", "energy_reduction_percent", "%");
  lines.add("throttling risk", cost.thermal_throttling_risk.empty()
                                   ? fmt::format("not available ({})", cost.risk_reason)
                                   : cost.thermal_throttling_risk);
}

bool is_reused(const PrepareResult& result) {
  return std::any_of(result.decisions.begin(), result.decisions.end(),
                     [](const Decision& decision) { return decision.action == "reuse"; });
}

std::string describe(const PrepareResult& result, bool explain) {
  Lines lines;
  lines.add(result.status, result.output_model_path.empty() ? "(dry run, nothing written)"
                                                            : result.output_model_path);
  lines.add("method", fmt::format("{} (asked for: {})", result.quantization_method,
                                  result.requested_quantization_method));
  const double ratio = result.size_reduction_ratio;
  lines.add("size", fmt::format("{} -> {} ({:.2f}x {})",
                                format_bytes(static_cast<uint64_t>(result.original_size_bytes)),
                                format_bytes(static_cast<uint64_t>(result.optimized_size_bytes)),
                                ratio < 1 ? 1 / ratio : ratio, ratio < 1 ? "larger" : "smaller"));
  lines.add("accuracy", describe_accuracy(result.accuracy));
  lines.add("applied", describe_applied(result));
  add_figures(result, lines);
  if (!result.bundle_path.empty()) lines.add("bundle", result.bundle_path);
  lines.add("took", fmt::format("{:.2f} s{}", result.preparation_time_seconds,
                                is_reused(result) ? ": prepared before, from the cache" : ""));
  std::string text = lines.to_string();
  if (!explain) return text;
  if (!result.layers.empty()) text += "layers\n" + show_layers(result.layers);
  return text + "decisions\n" + show_decisions(result.decisions);
}

Result<Output> run(const PrepareArguments& arguments, Invocation& invocation) {
  PrepareOptions options = arguments.prepare;
  options.bundle = !arguments.no_bundle;
  options.use_cache = !arguments.no_cache;
  options.samples = WATTWISE_TRY(parse_samples(arguments.samples));
  options.evaluation = to_evaluation(arguments.evaluation);
  options.fixed_inputs = WATTWISE_TRY(parse_fixed_inputs(arguments.samples));
  apply_opset(arguments.opset, invocation.options);
  auto deployment = WATTWISE_TRY(PowerEfficientDeployment::create(invocation.options));
  const auto result = WATTWISE_TRY(deployment.prepare_model_for_deployment(options));
  WATTWISE_TRY(deployment.cleanup());
  return Output{to_json(result), describe(result, invocation.explain)};
}

}  // namespace

Action declare_prepare(Options& command) {
  auto arguments =
      std::make_shared<PrepareArguments>();  // shared by the option bindings and the action
  command.add_required_text("--model-path", arguments->prepare.model_path,
                            "ONNX file or model folder");
  command.add_text("--output-path", arguments->prepare.output_path,
                   "default: <stem>_<profile>_optimized.onnx beside the input");
  command.add_text("--model-type", arguments->prepare.model_type,
                   "text, vision, audio or llm; inferred if left out");
  command.add_text("--quantization-method", arguments->prepare.quantization_method,
                   "auto, none, fp16, dynamic, static, weight_only, int8, int4 or mixed");
  command.add_text("--calibration-data", arguments->prepare.calibration_data.path,
                   "real inputs: a folder, a text file with one a line, or an array file");
  add_evaluation_options(command, arguments->evaluation);
  add_sample_option(command, arguments->samples);
  add_fix_input_option(command, arguments->samples,
                       "an input that becomes a constant, or a dimension that gets a size");
  add_opset_option(command, arguments->opset);
  command.add_flag("--measure", arguments->prepare.measure,
                   "time on this machine what each pass is worth; leave out what is slower");
  command.add_flag("--dry-run", arguments->prepare.dry_run, "decide and report, write nothing");
  command.add_flag("--no-bundle", arguments->no_bundle, "write the model only, no bundle");
  command.add_flag("--no-cache", arguments->no_cache,
                   "neither reuse an earlier preparation nor keep this one");
  return [arguments](Invocation& invocation) { return run(*arguments, invocation); };
}

}  // namespace wattwise::cli
