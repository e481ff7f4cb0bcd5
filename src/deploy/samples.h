// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "deploy/sample_reader.h"
#include "engine/session.h"
#include "input/preprocessor.h"
#include "measure/metrics.h"
#include "model/graph.h"
#include "wattwise/deployment.h"

namespace wattwise::deploy {

/// What the float model and a candidate are compared on, with the float model's answers.
struct Samples {
  std::vector<TensorMap> inputs;
  std::vector<TensorMap> outputs;
  std::string source;                         ///< "8 samples from the caller", "random inputs", ...
  measure::Probabilities probabilities = {};  ///< outputs that are some
  std::optional<size_t> total = {};           ///< of the caller's data, where they are some of it
};

/// The float model, in memory and ready to run. `model` lacks the inputs in `fixed`, with which the
/// session is fed besides the samples.
struct SampleSource {
  const model::Model& model;
  const engine::Session& session;
  const input::Preprocessor& preprocessor;
  TensorMap fixed = {};
  const SampleReader* reader = nullptr;  ///< of the caller's data, if there is any
};

/// The inputs that samples are for: the session's, as far as the model still has them and with the
/// sizes that it gives them.
std::vector<PortInfo> sample_ports(const model::Model& model, const engine::Session& session);

/// The caller's inputs as tensors, run through the float model: the samples, else up to 32 spread
/// evenly over the data, or 12 of them where the outputs of those have many rows. Without any,
/// sentences for a model with a tokenizer, else random inputs of a size that the model accepts
/// (found by trying).
Result<Samples> make_samples(const Env& env, const SampleSource& source,
                             const PrepareOptions& options);

/// A caller's inputs as tensors for these ports.
Result<TensorMap> to_tensors(const Env& env, const std::vector<PortInfo>& ports,
                             const input::Preprocessor& preprocessor, const InferenceInputs& inputs,
                             std::vector<Decision>& decisions);

/// Inputs with which the model may run, the likeliest first: batches of 1, plausible sizes for each
/// port's rank, and integers that the graph itself asks for.
std::vector<engine::InputGuess> plausible_inputs(const model::Model& model);

}  // namespace wattwise::deploy
