// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "core/progress.h"
#include "deploy/sample_reader.h"
#include "engine/session.h"
#include "wattwise/deployment.h"

namespace wattwise::deploy {

/// A model's task metric over all samples of an evaluation.
struct TaskValue {
  std::string metric;
  double value = 0;
  int64_t samples = 0;
};

/// A session, what it is fed besides the samples, and how far the whole work is.
struct Subject {
  const engine::Session& session;
  TensorMap fixed = {};
  double fraction = 0;
};

/// Runs models on the samples of an evaluation, one at a time, and tells how much of the task
/// metric the second loses.
class Evaluator {
 public:
  /// `calibration` serves where the evaluation has no data of its own; may be null.
  static Result<Evaluator> open(Env& env, SampleFormat format, const Evaluation& evaluation,
                                const SampleReader* calibration);

  /// The metric of a model. kExhausted if `progress` cancels.
  Result<TaskValue> measure(const Subject& subject, const Progress& progress) const;
  /// Remembers the float model's metric. kInvalidArgument unless it is above zero.
  Result<void> set_reference(const Subject& subject, const Progress& progress);
  /// Puts the model's metric, and its drop below the float model's, into `accuracy`.
  Result<void> judge(const Subject& subject, const Progress& progress, Accuracy& accuracy) const;

 private:
  Evaluator(Evaluation evaluation, SampleReader reader)
      : evaluation_(std::move(evaluation)), reader_(std::move(reader)) {}
  Evaluation evaluation_;
  SampleReader reader_;
  TaskValue reference_;
};

}  // namespace wattwise::deploy
