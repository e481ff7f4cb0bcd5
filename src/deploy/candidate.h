// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "deploy/context.h"
#include "deploy/evaluate.h"
#include "deploy/samples.h"
#include "deploy/staging.h"
#include "model/graph.h"
#include "quantize/quantize.h"

namespace wattwise::deploy {

/// A model made by one method, staged on disk, loaded and compared with the float model.
struct Candidate {
  std::string method;
  quantize::MethodOutcome outcome;
  Accuracy accuracy;
  int64_t size_bytes = 0;
  model::Model model;
};

/// What candidates are made from and held against.
struct CandidateSource {
  const model::Model& optimized;  ///< float model after the exact passes
  const model::ShapeTable& shapes;
  const Samples& samples;
  const quantize::CalibrationData* calibration;  ///< null without
  const quantize::CalibrationData* probes;       ///< reads `samples`
  int64_t original_size_bytes;
  std::string output_path;
  const Evaluator* evaluator = nullptr;  ///< of the task metric, where one is asked for
  std::optional<int64_t> opset = {};     ///< that the result must have
  bool in_blocks = false;                ///< models are too large to be run as a whole
  quantize::ActivationForm activations = {};
  quantize::SlowProducts slow_products = quantize::SlowProducts::kTake;
  bool measure = false;  ///< also time candidates against `optimized` if the objective is speed
};

/// How a candidate is made.
struct Recipe {
  std::string method;
  const model::Model& model;  ///< what is quantized
  std::function<Result<quantize::MethodOutcome>(model::Model& model)> run;
};

/// Quantizes a copy, writes it to `staged_path`, loads it and compares it.
Result<Candidate> make_candidate(Context& context, const CandidateSource& source,
                                 const Recipe& recipe, const std::string& staged_path);

/// What methods are given. `progress` must outlive it.
quantize::MethodContext method_context(Context& context, const CandidateSource& source,
                                       const Progress& progress);

/// Why a sound candidate is still not taken: it is not smaller than the original, or its drop is
/// above the limit, in percent; absent if it is taken.
std::optional<std::string> objection(const Candidate& candidate, const CandidateSource& source,
                                     std::optional<double> limit);

/// Tries the plan's methods in order and returns the first that is sound: its file loads and runs,
/// its outputs are sane, it changed something, it is smaller than the original, and it keeps the
/// accuracy limit where that gates it. Measured under an objective
/// of latency or energy, it must not be slower than the float model either, unless it was asked for
/// by name. Every rejected one leaves a decision.
struct Choice {
  Candidate candidate;
  std::vector<Decision> decisions;
};
Result<Choice> choose_candidate(Context& context, const CandidateSource& source,
                                const quantize::Plan& plan, const std::string& requested,
                                Staging& staging);

}  // namespace wattwise::deploy
