// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "model/graph.h"

namespace wattwise::quantize {

/// Estimated times of an operator on one core, in ns. Only their ratios decide anything.
struct StepCost {
  double float_ns = 0;
  double integer_ns = 0;
};

/// How much an operator has to do.
struct StepWork {
  double multiplications = 0;
  double outputs = 0;  ///< elements
  bool depthwise = false;
};

/// Absent rows cost what an elementwise operator does.
StepCost step_cost(std::string_view op, const StepWork& work);

/// From float to integers, and back, of that many elements; the change of memory layout that comes
/// with it included.
double quantize_ns(double elements);
double dequantize_ns(double elements);

}  // namespace wattwise::quantize
