// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "optimize/graph_editor.h"
#include "quantize/integer_matmul.h"
#include "quantize/quantize.h"

namespace wattwise::quantize {

/// A GELU that only integer products read, scaled by constants or not, is computed by a tangent:
///
///   before:  0.5 x (1 + erf(x / sqrt 2)), spelled out or as Gelu
///   after:   FastGelu(x) = 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
///
/// They differ by 4.8e-4 at most, at |x| = 2.7, and by 1.3e-4 to 2.1e-4 in the mean square for
/// normal x of deviation 1 to 3. What multiplies the result rounds it to 255 steps of its range:
/// where samples show that each step is seven times the largest difference and more, the difference
/// adds 2 to 5 % to the mean square error of rounding then, and 24 % at most. That is so from a
/// range of 0.9 on, and not for a GELU that only sees its left tail, whose results are as small as
/// the difference. Without samples nothing is changed. Constants that scale single columns count
/// with the largest: with their mean square, two thirds more of MiniLM's GELUs qualified, gained no
/// time that could be measured, and cost the pooled output 0.9 dB. Measured on an AMD EPYC with
/// AVX-512, ONNX Runtime 1.32, 100,000 elements, before / after in CPU time: 1.36.
void approximate_gelus(optimize::GraphEditor& graph, const model::ShapeTable& shapes,
                       const RoundingSteps& steps, MethodOutcome& outcome);

}  // namespace wattwise::quantize
