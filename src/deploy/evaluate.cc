// SPDX-License-Identifier: Apache-2.0
#include "deploy/evaluate.h"

#include <fmt/format.h>

#include <cmath>

#include "measure/task_metric.h"

namespace wattwise::deploy {
namespace {

/// What is added up while samples pass by.
class Sums {
 public:
  static Result<Sums> create(const Evaluation& evaluation) {
    auto score = WATTWISE_TRY(measure::TaskScore::create(evaluation.metric));
    return Sums(evaluation.custom, std::move(score));
  }

  Result<void> add(TensorMap outputs, std::vector<double> labels) {
    ++samples_;
    if (custom_) {
      outputs_.push_back(std::move(outputs));
      labels_.push_back(std::move(labels));
      return {};
    }
    auto added = score_.add(outputs, labels);
    if (added) return {};
    return std::move(added).error().with_context(fmt::format("scoring sample {}", samples_));
  }

  Result<TaskValue> finish() const {
    TaskValue result;
    result.samples = samples_;
    result.metric = custom_ ? "the caller's metric" : score_.name();
    result.value = WATTWISE_TRY(custom_ ? custom_(outputs_, labels_) : score_.value());
    return result;
  }

 private:
  Sums(TaskMetric custom, measure::TaskScore score)
      : custom_(std::move(custom)), score_(std::move(score)) {}
  TaskMetric custom_;
  measure::TaskScore score_;
  int64_t samples_ = 0;
  std::vector<TensorMap> outputs_;
  std::vector<std::vector<double>> labels_;
};

}  // namespace

Result<Evaluator> Evaluator::open(Env& env, SampleFormat format, const Evaluation& evaluation,
                                  const SampleReader* calibration) {
  if (!evaluation.data.is_given()) {
    if (calibration) return Evaluator(evaluation, *calibration);
    return Error(ErrorCode::kInvalidArgument,
                 "a metric needs samples to be computed on: pass data for the evaluation, or "
                 "calibration data");
  }
  auto reader = WATTWISE_TRY(SampleReader::open(env, std::move(format), evaluation.data));
  return Evaluator(evaluation, std::move(reader));
}

Result<TaskValue> Evaluator::measure(const Subject& subject, const Progress& progress) const {
  Sums sums = WATTWISE_TRY(Sums::create(evaluation_));
  const PreparedStream next = WATTWISE_TRY(reader_.start());
  bool any = false;
  for (auto sample = WATTWISE_TRY(next()); sample; sample = WATTWISE_TRY(next())) {
    WATTWISE_TRY(report_progress(progress, "evaluating", subject.fraction));
    sample->tensors.insert(subject.fixed.begin(), subject.fixed.end());
    TensorMap outputs = WATTWISE_TRY(subject.session.run(sample->tensors));
    WATTWISE_TRY(sums.add(std::move(outputs), std::move(sample->labels)));
    any = true;
  }
  if (any) return sums.finish();
  return Error(ErrorCode::kInvalidArgument, "the evaluation has no samples");
}

Result<void> Evaluator::set_reference(const Subject& subject, const Progress& progress) {
  reference_ = WATTWISE_TRY(measure(subject, progress));
  if (reference_.value > 0) return {};
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("{} of the float model is {:g}, of which no share can be lost: pass a "
                           "metric that is above zero and grows with quality",
                           reference_.metric, reference_.value));
}

Result<void> Evaluator::judge(const Subject& subject, const Progress& progress,
                              Accuracy& accuracy) const {
  const TaskValue mine = WATTWISE_TRY(measure(subject, progress));
  if (!std::isfinite(mine.value)) {
    return Error(ErrorCode::kInternal, fmt::format("{} is {:g}", mine.metric, mine.value));
  }
  accuracy.task =
      TaskAccuracy{reference_.metric, reference_.value, mine.value, reader_.source(), mine.samples};
  accuracy.drop_percent = 100 * (reference_.value - mine.value) / reference_.value;
  accuracy.compared_by = reference_.metric;
  return {};
}

}  // namespace wattwise::deploy
