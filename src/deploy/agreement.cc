// SPDX-License-Identifier: Apache-2.0
#include "deploy/agreement.h"

#include "deploy/execution.h"
#include "measure/metrics.h"

namespace wattwise::deploy {
Result<Accuracy> compare_with_float(const engine::Session& session, const Samples& samples) {
  Accuracy accuracy;
  accuracy.data = samples.source;
  accuracy.execution = describe_execution(session);
  accuracy.samples = static_cast<int64_t>(samples.inputs.size());
  const std::vector<TensorMap> outputs = WATTWISE_TRY(session.run_all(samples.inputs));
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (const auto why = measure::insane(samples.outputs[i], outputs[i], samples.probabilities)) {
      return Error(ErrorCode::kInternal, *why);
    }
    measure::keep_worst(WATTWISE_TRY(measure::compare_outputs(samples.outputs[i], outputs[i],
                                                              samples.probabilities)),
                        accuracy.outputs);
  }
  const auto drop = measure::accuracy_drop(samples.outputs, outputs, samples.probabilities);
  accuracy.drop_percent = drop.percent;
  accuracy.compared_by = drop.compared_by;
  return accuracy;
}

}  // namespace wattwise::deploy
