// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "quantize/weights.h"

namespace wattwise::quantize {

/// How a weight is stored so that its name gives float values when the model is loaded.
using StoreWeight = std::function<LayerQuantization(const Weight& weight, ModelEdits& edits)>;

/// Stores a weight without the zeros that fill it up at the ends of its axes, as channels padded
/// for fast kernels are; a Pad, which a runtime folds when it loads the model, puts them back.
/// Stores it whole where that saves little, and below opset 11, whose Pad takes no inputs.
LayerQuantization store_without_zeros(const Weight& weight, ModelEdits& edits,
                                      const StoreWeight& store);

}  // namespace wattwise::quantize
