// SPDX-License-Identifier: Apache-2.0
#include "quantize/knapsack.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>

namespace wattwise::quantize {
namespace {

using Items = std::vector<std::vector<KnapsackOption>>;

/// Costs and noises in steps, so that ties occur.
Items random_items(uint32_t seed) {
  std::mt19937 random(seed);
  Items items(1 + random() % 6);
  for (auto& options : items) {
    options.resize(1 + random() % 5);
    for (KnapsackOption& option : options) {
      option = {static_cast<double>(random() % 20), static_cast<double>(random() % 20)};
    }
  }
  return items;
}

/// The least cost within the limit, by trying every choice; infinite where none keeps it.
double least_cost(const Items& items, double limit, size_t item = 0, KnapsackOption sum = {}) {
  if (sum.noise > limit) return std::numeric_limits<double>::infinity();
  if (item == items.size()) return sum.cost;
  double best = std::numeric_limits<double>::infinity();
  for (const KnapsackOption& option : items[item]) {
    best = std::min(best, least_cost(items, limit, item + 1,
                                     {sum.cost + option.cost, sum.noise + option.noise}));
  }
  return best;
}

double found_cost(const std::vector<KnapsackChoice>& choices, double limit) {
  for (const KnapsackChoice& choice : choices) {
    if (choice.noise <= limit) return choice.cost;
  }
  return std::numeric_limits<double>::infinity();
}

TEST(Knapsack, FindsTheCheapestOfAllChoicesForEveryLimit) {
  for (uint32_t seed = 1; seed <= 60; ++seed) {
    const Items items = random_items(seed);
    const auto choices = best_choices(items, 4096);
    for (double limit = 0; limit <= 120; ++limit) {
      EXPECT_EQ(found_cost(choices, limit), least_cost(items, limit)) << seed << " " << limit;
    }
  }
}

TEST(Knapsack, PicksAddUpToWhatIsSaid) {
  const Items items = random_items(7);
  for (const KnapsackChoice& choice : best_choices(items, 4096)) {
    KnapsackOption sum;
    for (size_t i = 0; i < items.size(); ++i) {
      sum.cost += items[i].at(choice.picks[i]).cost;
      sum.noise += items[i].at(choice.picks[i]).noise;
    }
    EXPECT_EQ(sum.cost, choice.cost);
    EXPECT_EQ(sum.noise, choice.noise);
  }
}

TEST(Knapsack, ManyItemsTakeAFewStatesAndLoseLittle) {
  std::mt19937 random(3);
  Items items(200);
  for (auto& options : items) {
    double noise = static_cast<double>(1 + random() % 1000) / 1e3;
    double cost = static_cast<double>(1 + random() % 1000);
    for (int i = 0; i < 4; ++i, noise *= 0.06, cost *= 2) options.push_back({cost, noise});
  }
  const auto few = best_choices(items, 256);
  const auto many = best_choices(items, 4096);
  EXPECT_LE(few.size(), 257u);
  for (const KnapsackChoice& choice : many) {
    // Each item may have lost a step of the noise.
    EXPECT_LE(found_cost(few, choice.noise * 1.2), choice.cost * 1.1);
  }
}

}  // namespace
}  // namespace wattwise::quantize
