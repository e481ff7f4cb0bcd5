// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <vector>

#include "quantize/divide_inputs.h"
#include "quantize/gptq.h"
#include "quantize/input_statistics.h"

namespace wattwise::quantize {

/// Activation-aware scaling (Lin and others, 2023, "AWQ: Activation-aware Weight Quantization for
/// On-Device LLM Compression and Acceleration", section 3.2): rows of W that multiply large inputs
/// are multiplied by d before they are rounded, so that they err less, and X is divided by d,
///
///   X W ~ (X / d) Q(d W),   d = (mean |x_k|)^strength, strength in [0, 1] (equation 5),
///
/// here brought to a geometric mean of its ends of 1. It is for inputs that are rounded in blocks,
/// as MatMulNBits does, or not at all: over whole rows, divided inputs lose more than W gains.
struct AwqScaling {
  float strength = 0;
  std::vector<float> divisors;  ///< empty where none errs less than doing nothing
  ProductError error;           ///< of the products with the excerpts of X
  ProductError without;
};

/// The grid that a matrix [rows, any] is rounded to.
using GridOf = std::function<RoundingGrid(Floats weights, size_t rows)>;

/// The strength, of eleven, with the least error of the products of all matrices, [width, any], of
/// a group, rounded to nearest on that grid.
AwqScaling choose_awq(const InputStatistics& statistics, const std::vector<Floats>& weights,
                      const GridOf& grid_of);

/// Whether there is calibration data and the technique is wanted.
bool scales_by_awq(const MethodContext& context);

/// Scales what constant matrices multiply where that pays: an exact change of the float model, made
/// as smooth_inputs() makes its own. Precondition: the context has calibration data.
Result<DividedModel> scale_by_awq(model::Model& model, const MethodContext& context,
                                  const GridOf& grid_of);

}  // namespace wattwise::quantize
