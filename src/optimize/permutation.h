// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "optimize/graph_editor.h"

namespace wattwise::optimize {

/// As the attribute `perm` of Transpose: output axis i is input axis perm[i].
using Permutation = std::vector<int64_t>;

/// The permutation of a Transpose with the attribute; absent for one that reverses all axes.
std::optional<Permutation> permutation_of(const model::Node& transpose);
bool is_identity(const Permutation& permutation);
Permutation inverse(const Permutation& permutation);
/// One Transpose that does what `first` and then `second` do.
Permutation compose(const Permutation& first, const Permutation& second);
/// What is left of it when these output axes, sorted, are dropped.
Permutation without_axes(const Permutation& permutation, const std::vector<int64_t>& axes);

/// A constant that broadcasts against the permuted value as `value` does against the unpermuted
/// one: leading axes of 1 are added, then the axes are permuted. Absent for a constant of higher
/// rank or of elements that are no whole bytes.
std::optional<std::string> permute_constant(GraphEditor& graph, const std::string& value,
                                            const Permutation& permutation);
/// Whether permute_constant() can.
bool can_permute(const model::Constant& constant, const Permutation& permutation);

}  // namespace wattwise::optimize
