// SPDX-License-Identifier: Apache-2.0
#include "cli/sample_options.h"

#include "cli/metric_command.h"
#include "cli/parse_input.h"
#include "core/json.h"

namespace wattwise::cli {

void add_sample_option(Options& command, SampleOptions& options) {
  command.add_texts("--sample", options.samples,
                    "an input to compare with: text or a file; may be repeated");
}

void add_fix_input_option(Options& command, SampleOptions& options, const std::string& effect) {
  command.add_texts("--fix-input", options.fixed_inputs,
                    "NAME=VALUE: " + effect + "; may be repeated");
}

void add_opset_option(Options& command, OpsetOption& options) {
  command.add_count("--opset", options.opset,
                    "ONNX operator set that the result is spelled in; left out: as the model is");
}

void apply_opset(const OpsetOption& options, DeploymentOptions& deployment) {
  if (options.opset == 0) return;
  deployment.config_patches.emplace_back(
      "--opset", write_json(Json{{"optimization", {{"opset", options.opset}}}}));
}

Result<std::vector<InferenceInputs>> parse_samples(const SampleOptions& options) {
  std::vector<InferenceInputs> samples;
  for (const std::string& word : options.samples) {
    samples.push_back(WATTWISE_TRY(parse_inputs({word})));
  }
  return samples;
}

Result<std::map<std::string, std::string>> parse_fixed_inputs(const SampleOptions& options) {
  return parse_assignments(options.fixed_inputs, "--fix-input");
}

void add_evaluation_options(Options& command, EvaluationOptions& options) {
  command.add_text("--evaluation", options.evaluation.data.path,
                   "labelled inputs, on which the task metric is computed");
  command.add_text("--metric", options.evaluation.metric,
                   "accuracy or auroc, and :OUTPUT where several fit; found out if left out");
  command.add_text("--metric-command", options.command,
                   "a command that gets an .npz file of outputs and prints a number, the higher "
                   "the better");
}

Evaluation to_evaluation(const EvaluationOptions& options) {
  Evaluation evaluation = options.evaluation;
  if (!options.command.empty()) evaluation.custom = metric_command(options.command);
  return evaluation;
}

}  // namespace wattwise::cli
