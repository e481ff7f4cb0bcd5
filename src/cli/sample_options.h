// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cli/options.h"
#include "wattwise/deployment.h"

namespace wattwise::cli {

/// Options that several commands have: what a model is fed with.
struct SampleOptions {
  std::vector<std::string> samples;       ///< words of --sample
  std::vector<std::string> fixed_inputs;  ///< words of --fix-input
};

/// The operator set of a result.
struct OpsetOption {
  int64_t opset = 0;  ///< 0: as the model is
};

/// Declares --sample. `options` must live as long as `command`.
void add_sample_option(Options& command, SampleOptions& options);
/// Declares --fix-input, with what it does to the model.
void add_fix_input_option(Options& command, SampleOptions& options, const std::string& effect);

/// Declares --opset. `options` must live as long as `command`.
void add_opset_option(Options& command, OpsetOption& options);
/// Makes --opset, if it was given, the last word about the setting.
void apply_opset(const OpsetOption& options, DeploymentOptions& deployment);

/// What the words of --sample mean.
Result<std::vector<InferenceInputs>> parse_samples(const SampleOptions& options);
/// What the words of --fix-input mean: values by name.
Result<std::map<std::string, std::string>> parse_fixed_inputs(const SampleOptions& options);

/// What a model is judged by.
struct EvaluationOptions {
  Evaluation evaluation;
  std::string command;  ///< of --metric-command
};

/// Declares --evaluation, --metric and --metric-command.
void add_evaluation_options(Options& command, EvaluationOptions& options);
/// What they mean.
Evaluation to_evaluation(const EvaluationOptions& options);

}  // namespace wattwise::cli
