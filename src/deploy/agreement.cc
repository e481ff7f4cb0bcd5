// SPDX-License-Identifier: Apache-2.0
#include "deploy/agreement.h"

#include "measure/metrics.h"

namespace wattwise::deploy {
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
    measure::keep_worst(WATTWISE_TRY(measure::compare_outputs(samples.outputs[i], outputs.back())),
                        accuracy.outputs);
  }
  const auto drop = measure::accuracy_drop(samples.outputs, outputs);
  accuracy.drop_percent = drop.percent;
  accuracy.compared_by = drop.compared_by;
  return accuracy;
}

}  // namespace wattwise::deploy
