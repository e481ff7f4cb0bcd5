// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "quantize/quantize.h"

namespace wattwise::quantize {

/// Cross-layer equalization (Nagel and others, 2019, "Data-Free Quantization Through Weight
/// Equalization and Bias Correction", section 4.1), which needs no data. Where f(s x) = s f(x) for
/// s > 0 and each channel alone,
///
///   W2 f(W1 x + b1) = (W2 S) f(S^-1 W1 x + S^-1 b1),   s_i = sqrt(r1_i r2_i) / r2_i,
///
/// r1_i the largest |w| that makes channel i and r2_i the largest that reads it, which become
/// equal. An exact change of the float model.
///
/// Pairs are convolutions of the main graph, in groups or not, with nothing between them or Relu,
/// LeakyRelu, poolings and what moves nothing, each read by the next alone. Along chains of layers
/// it goes on until nothing changes much.
Result<MethodOutcome> equalize_layers(model::Model& model);

}  // namespace wattwise::quantize
