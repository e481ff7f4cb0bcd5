// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "quantize/quantize.h"

namespace wattwise::quantize {

/// Whether there is calibration data and the technique is wanted.
bool smooths_inputs(const MethodContext& context);

/// Smooths what constant matrices multiply, where calibration says that integer products gain by
/// it: an exact change of the float model. Divisors go into the constants of a normalization that
/// nothing else reads, else into a new Mul in front of the matrices if it gains 2 dB. Precondition:
/// the context has calibration data.
Result<MethodOutcome> smooth_inputs(model::Model& model, const MethodContext& context);

}  // namespace wattwise::quantize
