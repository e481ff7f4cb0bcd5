// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

namespace wattwise::quantize {

/// One way to treat an item.
struct KnapsackOption {
  double cost = 0;
  double noise = 0;  ///< not negative; the noise of all items adds up
};

/// One option for each item.
struct KnapsackChoice {
  double cost = 0;
  double noise = 0;
  std::vector<size_t> picks;  ///< index of each item's option
};

/// The choices of which no other costs less without making more noise, the cheapest and noisiest
/// first: for any limit of the noise, the first that keeps it is the cheapest that does. Exact, by
/// dynamic programming over the items, as long as no more than `most` partial choices are worth
/// keeping; beyond that the cheapest of each of `most` steps of the noise, even in its logarithm,
/// are kept. Precondition: every item has an option, and `most` is 2 or more.
std::vector<KnapsackChoice> best_choices(const std::vector<std::vector<KnapsackOption>>& items,
                                         size_t most);

}  // namespace wattwise::quantize
