// SPDX-License-Identifier: Apache-2.0
#include "quantize/min_cut.h"

#include <gtest/gtest.h>

#include <random>

namespace wattwise::quantize {
namespace {

struct Problem {
  size_t vertices;
  std::vector<std::pair<double, double>> costs;  ///< near, far
  std::vector<std::tuple<size_t, size_t, double>> edges;

  double cost(const std::vector<bool>& near) const {
    double sum = 0;
    for (size_t i = 0; i < vertices; ++i) sum += near[i] ? costs[i].first : costs[i].second;
    for (const auto& [from, to, cost] : edges) sum += near[from] && !near[to] ? cost : 0;
    return sum;
  }
};

Problem random_problem(uint32_t seed) {
  std::mt19937 random(seed);
  const auto draw = [&](uint32_t below) { return random() % below; };
  Problem problem{1 + draw(9), {}, {}};
  for (size_t i = 0; i < problem.vertices; ++i) problem.costs.emplace_back(draw(20), draw(20));
  for (uint32_t i = draw(20); i > 0; --i) {
    const auto count = static_cast<uint32_t>(problem.vertices);
    problem.edges.emplace_back(draw(count), draw(count), draw(15));
  }
  return problem;
}

TEST(MinCut, IsAsGoodAsTheBestOfAllAssignments) {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    const Problem problem = random_problem(seed);
    MinCut cut(problem.vertices);
    for (size_t i = 0; i < problem.vertices; ++i) {
      cut.add_costs(i, problem.costs[i].first, problem.costs[i].second);
    }
    for (const auto& [from, to, cost] : problem.edges) {
      if (from != to) cut.add_edge(from, to, cost);
    }
    double least = 1e9;
    for (uint32_t bits = 0; bits < 1U << problem.vertices; ++bits) {
      std::vector<bool> near(problem.vertices);
      for (size_t i = 0; i < near.size(); ++i) near[i] = (bits >> i & 1U) != 0;
      least = std::min(least, problem.cost(near));
    }
    EXPECT_DOUBLE_EQ(problem.cost(cut.solve()), least) << "seed " << seed;
  }
}

TEST(MinCut, TakesNoForbiddenSide) {
  MinCut cut(2);
  cut.add_costs(0, MinCut::kForbidden, 5);
  cut.add_costs(1, 0, 100);
  cut.add_edge(1, 0, MinCut::kForbidden);
  EXPECT_EQ(cut.solve(), (std::vector<bool>{false, false}));
}

}  // namespace
}  // namespace wattwise::quantize
