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

/// Measures all of them together. Each sample is run a few times, every time with the errors of all
/// weights and inputs at once, each with a sign of its own, +1 or -1 at random. Errors of different
/// origin are as good as orthogonal, so that the error of run r, e_r, obeys
///
///   <e_r, e_s> = sum over u of sign_ru sign_su |error_u|^2:
///
/// R runs give R (R + 1) / 2 equations for the |error_u|^2, which are solved by least squares
/// without negative ones. 3 sqrt(U) runs, twice what the equations ask for, do for U unknowns; one
/// at a time takes U. Signs are the same in every process. Where the operator set has no 8-bit
/// inputs (below 11), these are not measured. Empty for a model without float outputs.
Result<SensitivityReport> measure_sensitivity(const model::Model& model,
                                              const Disturbance& disturbance,
                                              const CalibrationData& data,
                                              const Progress& progress);

/// The squared lengths of U vectors, from the products of R sums of them with the given signs:
/// `signs` is [R, U] of +1 and -1, `products` is [R, R]. Exact for orthogonal vectors if the
/// equations determine them. Nothing is negative.
std::vector<double> solve_signed_sums(const std::vector<float>& signs,
                                      const std::vector<double>& products, size_t runs);

/// Whether the runtime can multiply this by 8-bit inputs whose range it finds itself: a matrix, or
/// the input weight of an LSTM.
bool may_read_bytes(const Weight& weight);

}  // namespace wattwise::quantize
