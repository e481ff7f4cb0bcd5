// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "engine/session.h"
#include "wattwise/config.h"
#include "wattwise/types.h"

namespace wattwise::runtime {

/// How many items run at once: `optimal_batch_size`, or 1 with batching turned off.
int64_t batch_size(const InferenceOptimizationConfig& config);

/// Runs `items` rows of input, given as tensors whose axis 0 counts them, in parts of at most
/// `size` rows, and joins the outputs along axis 0. Inputs without such an axis go to every part.
/// Where an output does not count the rows on axis 0 (a recurrent state), all rows run at once. A
/// decision tells of either. Errors are the session's.
struct BatchRun {
  int64_t items = 1;
  int64_t size = 1;
};
Result<TensorMap> run_in_batches(const engine::Session& session, const TensorMap& inputs,
                                 const BatchRun& run, std::vector<Decision>& decisions);

}  // namespace wattwise::runtime
