// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "quantize/weights.h"

namespace wattwise::quantize {

/// What holds a smaller share of the model's weights saves less by 4 bits than it loses, unless it
/// is measured.
inline constexpr double kWorthwhileShare = 0.05;

/// Sets may_take_4_bits of weights that would be stored in blocks of 4 bits, which are neither
/// matrices nor embeddings. With calibration data, what each would do to the outputs alone is
/// measured, and those that save most for it take 4 bits until the outputs have lost 2.5 % of
/// their variance. Without, large ones do, with a twentieth of the model's weights and more: the
/// number of layers that err decides what their errors add up to, and few large ones hold most
/// bytes.
Result<void> choose_int4(const model::Model& model, std::vector<Weight>& weights,
                         const MethodContext& context, MethodOutcome& outcome);

}  // namespace wattwise::quantize
