// SPDX-License-Identifier: Apache-2.0
#include "deploy/agreement.h"

#include <algorithm>

#include "measure/metrics.h"

namespace wattwise::deploy {
namespace {

/// Keeps, per output, the worst agreement over all samples.
void keep_worst(std::vector<OutputAccuracy>& worst, const std::vector<OutputAccuracy>& sample) {
  if (worst.empty()) {
    worst = sample;
    return;
  }
  for (size_t i = 0; i < worst.size(); ++i) {
    worst[i].sqnr_db = std::min(worst[i].sqnr_db, sample[i].sqnr_db);
    worst[i].cosine = std::min(worst[i].cosine, sample[i].cosine);
    worst[i].max_abs_error = std::max(worst[i].max_abs_error, sample[i].max_abs_error);
    worst[i].max_relative_error =
        std::max(worst[i].max_relative_error, sample[i].max_relative_error);
  }
}

}  // namespace

Result<Accuracy> compare_with_float(const engine::Session& session, const Samples& samples) {
  Accuracy accuracy;
  accuracy.data = samples.source;
  accuracy.samples = static_cast<int64_t>(samples.inputs.size());
  std::vector<TensorMap> outputs;
  for (size_t i = 0; i < samples.inputs.size(); ++i) {
    outputs.push_back(WATTWISE_TRY(session.run(samples.inputs[i])));
    if (const auto why = measure::insane(samples.outputs[i], outputs.back())) {
      return Error(ErrorCode::kInternal, *why);
    }
    keep_worst(accuracy.outputs,
               WATTWISE_TRY(measure::compare_outputs(samples.outputs[i], outputs.back())));
  }
  const auto drop = measure::accuracy_drop(samples.outputs, outputs);
  accuracy.drop_percent = drop.percent;
  accuracy.compared_by = drop.compared_by;
  return accuracy;
}

}  // namespace wattwise::deploy
