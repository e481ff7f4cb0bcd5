// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/graph.h"

namespace wattwise::quantize {

/// Integers as a runtime sees them once it has folded what makes them.
struct UnpackedIntegers {
  std::vector<int64_t> shape;
  std::vector<int8_t> values;
};

/// Where the values of a graph come from; null for what is unknown.
struct ValueOrigins {
  std::function<const model::Constant*(const std::string&)> constant;
  std::function<const model::Node*(const std::string&)> producer;
};

/// Computes an int8 value from constants by the operators that store_int4.h writes: BitShift,
/// Concat, Cast, Sub and Mul of integers, Reshape. Absent if others make it.
std::optional<UnpackedIntegers> unpack_integers(const ValueOrigins& origins,
                                                const std::string& value);

}  // namespace wattwise::quantize
