// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "optimize/graph_editor.h"
#include "quantize/integer_plan.h"
#include "quantize/quantize.h"
#include "quantize/ranges.h"

namespace wattwise::quantize {

/// Intervals of values that 8 bits shall represent.
using RangeTable = std::map<std::string, Range>;

/// How convolutions are rounded.
struct ConvolutionRounding {
  WeightRange range = WeightRange::kPairAware;
  ScaleChoice choice = ScaleChoice::kLeastError;
  ChannelMeans means = {};  ///< of what convolutions read, as far as they are known
  bool corrects_biases = false;
  bool one_scale = false;  ///< for all of a weight, not one for each channel
};

/// Replaces the steps by operators on uint8: DequantizeLinear, operator and QuantizeLinear where
/// ONNX Runtime fuses the three, operators on bytes elsewhere. Values that operators outside of the
/// plan read keep their names. Scales are scalars of rank 0, without which nothing fuses. Needs
/// operator set 13.
std::vector<LayerQuantization> write_integers(optimize::GraphEditor& graph, const IntegerPlan& plan,
                                              const RangeTable& ranges,
                                              const ConvolutionRounding& rounding);

}  // namespace wattwise::quantize
