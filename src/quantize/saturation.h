// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/graph.h"

namespace wattwise::quantize {

/// int8 weights that integer kernels multiply by uint8 activations, with pairs that break the rule
/// of kernels.h: processors without VNNI may answer otherwise than those with it.
struct SaturatingWeight {
  std::string name;
  int64_t pairs = 0;
};

/// All of them, in every graph: weights of integer operators, and of Conv and MatMul between
/// DequantizeLinear nodes, which ONNX Runtime fuses to such. Empty for a model that answers alike
/// on every x86 processor.
std::vector<SaturatingWeight> find_saturating_weights(model::Model& model);

}  // namespace wattwise::quantize
