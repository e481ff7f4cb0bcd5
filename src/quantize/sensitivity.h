// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <vector>

#include "quantize/calibrate.h"
#include "quantize/weights.h"

namespace wattwise::quantize {

/// What the errors of one weight alone do to the outputs of a model: squared error over variance,
/// summed over the outputs (see noise.h).
struct Sensitivity {
  double weight = 0;
  double input = 0;  ///< of what it multiplies, in 8 bits over the range found at run time
};

struct SensitivityReport {
  std::vector<Sensitivity> weights;  ///< in the order of find_weights(); empty: not measured
  int64_t samples = 0;
  int64_t runs = 0;  ///< of the model
};

/// The errors to be measured.
struct Disturbance {
  std::function<std::vector<float>(const Weight& weight, size_t index)> errors;
  std::function<bool(const Weight& weight, size_t index)> reads_bytes;
};

/// Measures all of them together by signed_sums.h: one at a time takes as many runs as there are
/// errors. Where the operator set has no 8-bit inputs (below 11), these are not measured. Empty for
/// a model without float outputs.
Result<SensitivityReport> measure_sensitivity(const model::Model& model,
                                              const Disturbance& disturbance,
                                              const CalibrationData& data,
                                              const Progress& progress);

/// Whether the runtime can multiply this by 8-bit inputs whose range it finds itself: a matrix, or
/// the input weight of an LSTM.
bool may_read_bytes(const Weight& weight);

}  // namespace wattwise::quantize
