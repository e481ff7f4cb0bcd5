// SPDX-License-Identifier: Apache-2.0
#include "quantize/activation_grid.h"

#include <algorithm>
#include <cmath>

namespace wattwise::quantize {
namespace {

constexpr double kLevels = 255;
/// From so many steps between zero and an exact root on, stretching the steps until it falls on a
/// level costs at most an eighth of their precision.
constexpr double kStepsToStretch = 8;

uint8_t level(double q) {
  return static_cast<uint8_t>(std::clamp(std::nearbyint(q), 0.0, kLevels));
}

}  // namespace

Grid make_grid(const GridNeeds& needs) {
  double low = std::min<double>(needs.range.low, 0);
  double high = std::max<double>(needs.range.high, 0);
  const auto include = [&](const std::vector<double>& roots) {
    for (const double root : roots) {
      low = std::min(low, root);
      high = std::max(high, root);
    }
  };
  include(needs.roots);
  include(needs.exact_roots);
  if (high - low < std::numeric_limits<float>::min()) return {};
  double step = (high - low) / kLevels;
  for (const double root : needs.exact_roots) {
    const double steps = std::floor(std::fabs(root) / step);
    if (steps < kStepsToStretch) continue;
    step = std::fabs(root) / steps;
    break;
  }
  return {static_cast<float>(step), level(-low / step), 0};
}

Grid read_as(const Grid& stored, double scale, double shift) {
  const double step = stored.scale;
  const double root = -shift / scale;
  Grid grid;
  grid.scale = static_cast<float>(scale * step);
  grid.zero = level(stored.zero + root / step);
  const double steps = static_cast<double>(grid.zero) - static_cast<double>(stored.zero);
  grid.offset = scale * (step * steps - root);
  return grid;
}

ByteBounds bytes_within(const Grid& grid, const View& view) {
  return {level(grid.zero + (view.low - grid.offset) / grid.scale),
          level(grid.zero + (view.high - grid.offset) / grid.scale)};
}

}  // namespace wattwise::quantize
