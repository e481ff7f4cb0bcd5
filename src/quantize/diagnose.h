// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "quantize/weights.h"

namespace wattwise::quantize {

/// "outlier channel 3 of 64: its largest weight is 24 times that of the channel in the middle",
/// along the axis of inputs or of outputs where that ratio is the largest; "" if no channel stands
/// out.
std::string find_outlier_channel(const Weight& weight);

}  // namespace wattwise::quantize
