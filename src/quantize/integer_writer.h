// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "optimize/graph_editor.h"
#include "quantize/calibrate.h"
#include "quantize/integer_plan.h"
#include "quantize/quantize.h"

namespace wattwise::quantize {

/// The values whose ranges write_integers() needs: what the steps compute, and what they read that
/// no step makes.
std::vector<std::string> values_to_calibrate(const IntegerPlan& plan);

/// Replaces the steps by operators on uint8: DequantizeLinear, operator and QuantizeLinear where
/// ONNX Runtime fuses the three, operators on bytes elsewhere. Values that operators outside of the
/// plan read keep their names. Scales are scalars of rank 0, without which nothing fuses. Needs
/// operator set 13.
std::vector<LayerQuantization> write_integers(optimize::GraphEditor& graph, const IntegerPlan& plan,
                                              const ActivationTable& activations,
                                              const RangeMethod& ranges);

}  // namespace wattwise::quantize
