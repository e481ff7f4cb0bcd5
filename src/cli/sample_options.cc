// SPDX-License-Identifier: Apache-2.0
#include "cli/sample_options.h"

#include "cli/parse_input.h"

namespace wattwise::cli {

void add_sample_option(CLI::App& command, SampleOptions& options) {
  command
      .add_option("--sample", options.samples,
                  "an input to compare with: text or a file; may be repeated")
      ->allow_extra_args(false);
}

void add_fix_input_option(CLI::App& command, SampleOptions& options, const std::string& effect) {
  command
      .add_option("--fix-input", options.fixed_inputs,
                  "NAME=VALUE: " + effect + "; may be repeated")
      ->allow_extra_args(false);
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

}  // namespace wattwise::cli
