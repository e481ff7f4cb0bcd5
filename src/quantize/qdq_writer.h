// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "quantize/integer_writer.h"
#include "quantize/qdq_plan.h"

namespace wattwise::quantize {

/// How a plan is written.
struct QdqWriting {
  const ActivationType& type;
  WeightRange range = WeightRange::kPairAware;
  ScaleChoice choice = ScaleChoice::kLeastError;
  bool one_scale = false;  ///< for all of a weight, not one for each channel
};

/// Puts each value of the plan through QuantizeLinear and DequantizeLinear once: behind the
/// operator that makes it, which others read under its name too, or at the plan's border. `ranges`
/// has every holder. Needs the operator set of the type.
std::vector<LayerQuantization> write_qdq(optimize::GraphEditor& graph, const QdqPlan& plan,
                                         const RangeTable& ranges, const QdqWriting& writing);

}  // namespace wattwise::quantize
