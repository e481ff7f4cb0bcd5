// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/progress.h"
#include "engine/session.h"
#include "measure/divergence.h"
#include "measure/metrics.h"

namespace wattwise::measure {

/// CPU time per inference of two models, run in turn in one process.
struct PairedTiming {
  Interval first_ms;
  Interval second_ms;
  Interval ratio;  ///< first / second, pair by pair: above 1 the second is cheaper
  int64_t pairs = 0;
  std::vector<double> first_samples_ms;  ///< one a pair, in the order of measuring
  std::vector<double> second_samples_ms;
};

/// The fewest pairs whose extremes enclose the median with 95 % probability.
inline constexpr int64_t kFewestPairs = 6;

struct TimingOptions {
  Seconds budget{2};
  int64_t min_pairs = 10;  ///< run even beyond the budget
  Progress progress;       ///< asked after each pair, so that a long timing can be cancelled
  std::string stage = "timing both models in turn";
  double fraction = 0.3;
};

/// Runs `first` and `second` in turn (A B, B A, ...) until the budget is spent. Each sample repeats
/// the inference until it is long against the clock's step.
Result<PairedTiming> time_interleaved(const Env& env, const engine::Session& first,
                                      const engine::Session& second, const TensorMap& inputs,
                                      const TimingOptions& options);

struct ModelFacts {
  std::string path;
  uint64_t size_bytes = 0;
  double load_ms = 0;
  std::optional<uint64_t> load_memory_bytes;  ///< anonymous memory that loading added
};

struct Comparison {
  ModelFacts first;
  ModelFacts second;
  std::vector<OutputAccuracy> outputs;  ///< worst case over all samples
  AccuracyDrop drop;
  PairedTiming timing;
  int64_t samples = 0;
  std::string data;  ///< where the samples came from
  std::optional<Divergence> divergence;
  std::vector<ValueError> values;  ///< where they were asked for
};

struct CompareOptions {
  /// Gives the inputs one after the other; absent at the end. At least one. The first serves the
  /// timing and the search for where the models part.
  std::function<Result<std::optional<TensorMap>>()> samples;
  std::string data;
  Seconds timing_budget{2};
  engine::SessionOptions session;
  Progress progress;
  bool with_values = false;  ///< also the error of every value that both models name alike
  double divergence_threshold = 1e-3;  ///< relative error from which on two values differ
};

/// Runs both on the same inputs, of which each model gets those that it has: outputs, accuracy,
/// interleaved CPU time, load time and memory, size, and, if an output differs, the first value at
/// which the models part.
Result<Comparison> compare_models(const std::shared_ptr<engine::Runtime>& runtime, Env& env,
                                  const std::string& first, const std::string& second,
                                  const CompareOptions& options);

}  // namespace wattwise::measure
