// SPDX-License-Identifier: Apache-2.0
#include "deploy/agreement.h"

#include <algorithm>

#include "deploy/execution.h"
#include "measure/metrics.h"

namespace wattwise::deploy {
Result<Agreement> compare_with_float(const engine::Session& session, const Samples& samples) {
  Agreement agreement;
  Accuracy& accuracy = agreement.accuracy;
  accuracy.data = samples.source;
  accuracy.execution = describe_execution(session);
  accuracy.samples = static_cast<int64_t>(samples.inputs.size());
  const std::vector<TensorMap> outputs = WATTWISE_TRY(session.run_all(samples.inputs));
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (const auto why = measure::insane(samples.outputs[i], outputs[i], samples.probabilities)) {
      return Error(ErrorCode::kInternal, *why);
    }
    const auto compared = WATTWISE_TRY(
        measure::compare_outputs(samples.outputs[i], outputs[i], samples.probabilities));
    double worst = 0;
    for (const OutputAccuracy& output : compared) {
      worst = std::max(worst, output.max_relative_error);
    }
    agreement.errors.push_back(worst);
    measure::keep_worst(compared, accuracy.outputs);
  }
  const auto drop = measure::accuracy_drop(samples.outputs, outputs, samples.probabilities);
  accuracy.drop_percent = drop.percent;
  accuracy.compared_by = drop.compared_by;
  return agreement;
}

}  // namespace wattwise::deploy
