// SPDX-License-Identifier: Apache-2.0
#include "deploy/agreement.h"

#include <algorithm>

#include "deploy/execution.h"
#include "measure/metrics.h"

namespace wattwise::deploy {
namespace {

/// The answers to one sample; those of all at once if the session loads its parts for each pass.
class Answers {
 public:
  static Result<Answers> open(const engine::Session& session, const Samples& samples) {
    Answers answers(session, samples);
    if (session.block_count()) answers.all_ = WATTWISE_TRY(session.run_all(samples.inputs));
    return answers;
  }

  Result<TensorMap> of(size_t sample) {
    if (all_.empty()) return session_.run(samples_.inputs[sample]);
    return std::move(all_[sample]);
  }

 private:
  Answers(const engine::Session& session, const Samples& samples)
      : session_(session), samples_(samples) {}

  const engine::Session& session_;
  const Samples& samples_;
  std::vector<TensorMap> all_;
};

}  // namespace

Result<Agreement> compare_with_float(const engine::Session& session, const Samples& samples) {
  Agreement agreement;
  Accuracy& accuracy = agreement.accuracy;
  accuracy.data = samples.source;
  accuracy.execution = describe_execution(session);
  accuracy.samples = static_cast<int64_t>(samples.inputs.size());
  measure::DropSums sums(samples.probabilities);
  Answers answers = WATTWISE_TRY(Answers::open(session, samples));
  for (size_t i = 0; i < samples.inputs.size(); ++i) {
    const TensorMap outputs = WATTWISE_TRY(answers.of(i));
    if (const auto why = measure::insane(samples.outputs[i], outputs, samples.probabilities)) {
      return Error(ErrorCode::kInternal, *why);
    }
    const auto compared = WATTWISE_TRY(sums.add(samples.outputs[i], outputs));
    double worst = 0;
    for (const OutputAccuracy& output : compared) {
      worst = std::max(worst, output.max_relative_error);
    }
    agreement.errors.push_back(worst);
    measure::keep_worst(compared, accuracy.outputs);
  }
  const auto drop = sums.drop();
  accuracy.drop_percent = drop.percent;
  accuracy.compared_by = drop.compared_by;
  return agreement;
}

}  // namespace wattwise::deploy
