// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "optimize/channel_regions.h"

namespace wattwise::optimize {

/// What padding does to one region. Work is counted in multiply-adds at the speed of the blocked
/// layout; what is slower, or only moves data, counts for as many as take the same time.
struct PaddingCost {
  double work_before = 0;
  double work_after = 0;
  int64_t breaks = 0;  ///< nodes that force the provider out of its blocked layout, cured
  int64_t convolutions = 0;
  int64_t added_weights = 0;  ///< elements

  /// True if the work falls by a margin that the estimate can be trusted for, and every added
  /// weight, which has to be read, saves more than itself.
  bool pays() const;
};

/// Costs by region.
std::unordered_map<std::string, PaddingCost> padding_costs(ChannelRegions& regions,
                                                           const GraphEditor& graph,
                                                           const model::ShapeTable& shapes,
                                                           int64_t block);

}  // namespace wattwise::optimize
