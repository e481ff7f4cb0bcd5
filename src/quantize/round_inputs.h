// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>

#include "optimize/graph_editor.h"
#include "quantize/quantize.h"
#include "quantize/ranges.h"

namespace wattwise::quantize {

/// What integer products of a graph multiply is rounded to uint8 by a node of its own where that
/// saves time:
///
///   before:  DynamicQuantizeMatMul(x, V), DynamicQuantizeMatMul(x, W)
///   after:   DynamicQuantizeLinear(x) -> q, or QuantizeLinear where the range of x is given;
///            MatMulIntegerToFloat(q, V), MatMulIntegerToFloat(q, W)
///
/// The first for several products of one value, with the same bits: measured on an AMD EPYC with
/// AVX-512 VNNI, ONNX Runtime 1.32, one thread, before / after in CPU time: 1.00 for one row of 384
/// values, 1.03 for 64 rows and two products, 1.02 to 1.09 for three. The second needs no look for
/// extremes: 1.00 to 1.02 for one product of 64 rows, 1.05 for three. Needs operator set 11.
void round_inputs(optimize::GraphEditor& graph,
                  const std::map<std::string, std::optional<Range>>& ranges,
                  MethodOutcome& outcome);

/// The operator set that has DynamicQuantizeLinear.
inline constexpr int64_t kFirstToRoundApart = 11;

}  // namespace wattwise::quantize
