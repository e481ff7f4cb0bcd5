// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "optimize/graph_editor.h"

namespace wattwise::quantize {

/// int8 of a weight, or int32 of a bias, with a scale for each index along the axis.
struct ChannelIntegers {
  const Tensor& values;
  const std::vector<float>& scales;
  int64_t axis = 0;
  bool one_scale = false;  ///< the first serves all
};

/// Adds them with a DequantizeLinear that reads them as float; returns the name of what it makes.
std::string add_dequantized(optimize::GraphEditor& graph, const std::string& base,
                            const ChannelIntegers& integers);

}  // namespace wattwise::quantize
