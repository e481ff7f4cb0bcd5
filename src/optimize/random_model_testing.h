// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "model/graph.h"

// For tests of passes only.
namespace wattwise::optimize::testing {

/// A small model with random operators, the same for the same seed: chains and branches of what
/// passes look for (convolutions, affine arithmetic, activations in one or in many nodes, reshapes,
/// transposes, slices, casts, conditions), in operator sets 9 to 17, with free sizes, values that
/// several nodes read, outputs in the middle, and constants as initializers, as `Constant` nodes or
/// captured from the graph around. One kind of number in, no jumps in between: what a pass may
/// round differently stays small to the end.
model::Model random_model(uint64_t seed);

}  // namespace wattwise::optimize::testing
