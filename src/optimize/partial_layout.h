// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "optimize/partial_values.h"

// The rules of partial_rules.cc that take elements from one place to another.
namespace wattwise::optimize {

/// The shape that both broadcast to; absent if they do not.
std::optional<std::vector<int64_t>> broadcast_shape(const std::vector<int64_t>& a,
                                                    const std::vector<int64_t>& b);
/// For each element of `to`, in order, the position in a tensor of shape `from` that it comes from.
/// Precondition: `from` broadcasts to `to`.
std::vector<size_t> broadcast_positions(const std::vector<int64_t>& from,
                                        const std::vector<int64_t>& to);

std::optional<PartialValue> concat_values(const Operands& operands);
std::optional<PartialValue> fill_shape(const Operands& operands);
std::optional<PartialValue> gather_values(const Operands& operands);
std::optional<PartialValue> reshape_values(const Operands& operands);
std::optional<PartialValue> same_values(const Operands& operands);
std::optional<PartialValue> shape_of(const Operands& operands);
std::optional<PartialValue> size_of(const Operands& operands);
std::optional<PartialValue> slice_values(const Operands& operands);
std::optional<PartialValue> squeeze_values(const Operands& operands);
std::optional<PartialValue> unsqueeze_values(const Operands& operands);

}  // namespace wattwise::optimize
