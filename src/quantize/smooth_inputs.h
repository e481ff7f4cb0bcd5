// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "quantize/divide_inputs.h"

namespace wattwise::quantize {

/// What the techniques that round by what matrices multiply have to know of it.
Detail wanted_detail(const MethodContext& context);

/// Whether there is calibration data and the technique is wanted.
bool smooths_inputs(const MethodContext& context);

/// Smooths what constant matrices multiply, where calibration says that integer products gain by
/// it: an exact change of the float model. Divisors go into the constants of a normalization that
/// nothing else reads, else into a new Mul in front of the matrices if it gains 2 dB. Precondition:
/// the context has calibration data. Statistics of `detail` are gathered, for what follows.
Result<DividedModel> smooth_inputs(model::Model& model, const MethodContext& context,
                                   Detail detail = Detail::kExtremes);

}  // namespace wattwise::quantize
