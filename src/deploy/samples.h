// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "engine/session.h"
#include "input/preprocessor.h"
#include "wattwise/deployment.h"

namespace wattwise::deploy {

/// What the float model and a candidate are compared on, with the float model's answers.
struct Samples {
  std::vector<TensorMap> inputs;
  std::vector<TensorMap> outputs;
  std::string source;  ///< "8 samples from the caller", "random inputs", ...
};

/// The caller's inputs as tensors, run through the float model; without any, sentences for a model
/// with a tokenizer, else random inputs of a size that the model accepts (found by trying).
Result<Samples> make_samples(const Env& env, const engine::Session& float_session,
                             const input::Preprocessor& preprocessor,
                             const PrepareOptions& options);

/// A caller's inputs as tensors for these ports.
Result<TensorMap> to_tensors(const Env& env, const std::vector<PortInfo>& ports,
                             const input::Preprocessor& preprocessor, const InferenceInputs& inputs,
                             std::vector<Decision>& decisions);

/// Sizes for the free dimensions under which the model runs: axis 0 gets 1, the others plausible
/// sizes for the port's rank. Keys as for engine::infer_shapes.
std::vector<std::map<std::string, int64_t>> plausible_dimensions(
    const std::vector<PortInfo>& ports);

}  // namespace wattwise::deploy
