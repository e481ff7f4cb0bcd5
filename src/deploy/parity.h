// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace wattwise::deploy {

/// A rewritten model may differ from the original by so many times what the original differs from
/// itself in another order of computation: deep models amplify the last bits.
inline constexpr double kNoiseRatio = 2;

/// Indices of the errors, the largest first; equal ones in their order.
std::vector<size_t> worst_first(std::span<const double> errors);

/// The largest error; 0 of none.
double worst_of(std::span<const double> errors);

/// Whether errors of samples, all relative, are no larger than `allowed`. Where a model decides by
/// a hair, the last bits are amplified without bound, and the largest of many errors says nothing
/// about the algebra: of ten samples and more, one in ten, rounded up, may be further off, but by
/// no more than 30 times `noise`, what the original was found to be off itself.
bool is_equal_enough(std::span<const double> errors, double allowed, double noise);

}  // namespace wattwise::deploy
