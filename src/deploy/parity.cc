// SPDX-License-Identifier: Apache-2.0
#include "deploy/parity.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace wattwise::deploy {
namespace {

constexpr size_t kManySamples = 10;
constexpr double kNoiseRatioOfFew = 30;

}  // namespace

std::vector<size_t> worst_first(std::span<const double> errors) {
  std::vector<size_t> order(errors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return errors[a] > errors[b]; });
  return order;
}

double worst_of(std::span<const double> errors) {
  return errors.empty() ? 0 : *std::max_element(errors.begin(), errors.end());
}

bool is_equal_enough(std::span<const double> errors, double allowed, double noise) {
  const auto off = static_cast<size_t>(std::count_if(
      errors.begin(), errors.end(), [&](double error) { return !(error <= allowed); }));
  if (off == 0) return true;
  if (errors.size() < kManySamples) return false;
  const size_t may_be_off = (errors.size() + kManySamples - 1) / kManySamples;
  return off <= may_be_off && worst_of(errors) <= kNoiseRatioOfFew * noise;
}

}  // namespace wattwise::deploy
