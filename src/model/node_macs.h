// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "model/graph.h"

namespace wattwise::model {

/// Multiply-accumulates of one run of the node; 0 for operators that do not multiply matrices,
/// absent where a needed shape is unknown or the operator's cost is not known (Einsum).
std::optional<int64_t> node_macs(const Node& node, const ShapeTable& shapes);

/// True for convolutions, matrix products and recurrent layers.
bool multiplies(const Node& node);

/// True if its products are of 8-bit integers.
bool computes_in_integers(const Node& node);

}  // namespace wattwise::model
