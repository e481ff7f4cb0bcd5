// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quantize/gptq.h"

namespace wattwise::quantize {

/// Adaptive rounding (Nagel and others, 2020, "Up or Down? Adaptive Rounding for Post-Training
/// Quantization"): whether each weight w = step x u goes to the integer below u or to the one above
/// is chosen for the least error of the layer's products with its inputs X (equation 13),
///
///   minimize tr(E^T X^T X E),   E = W - step x q,   q in {floor(u), ceil(u)}.
///
/// The paper relaxes these binary problems and follows gradients; this goes down one coordinate at
/// a time, each weight exactly, all columns side by side, for a few rounds. `start` is where it
/// sets out, by any rounding; a weight that was rounded farther stays unless it gains. The error
/// never grows, but for a `damping` share of the mean of the diagonal of `gram`, X^T X, that is
/// added to it. Grid and pair limits hold.
struct AdaRoundOptions {
  float damping = 0.01F;
  int rounds = 3;
};
std::vector<int8_t> round_adaptively(const Rounding& start, Floats weights,
                                     std::span<const float> gram,
                                     const AdaRoundOptions& options = {});

}  // namespace wattwise::quantize
