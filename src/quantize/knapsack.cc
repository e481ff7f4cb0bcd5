// SPDX-License-Identifier: Apache-2.0
#include "quantize/knapsack.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace wattwise::quantize {
namespace {

/// A choice for the first items; the rest of it is found by going back through `before`.
struct State {
  double cost = 0;
  double noise = 0;
  size_t before = 0;  ///< index among the states without the last item
  size_t pick = 0;
};

/// Only states of which none is as cheap with as little noise, the cheapest first.
std::vector<State> without_losers(std::vector<State> states) {
  std::stable_sort(states.begin(), states.end(), [](const State& a, const State& b) {
    return a.cost != b.cost ? a.cost < b.cost : a.noise < b.noise;
  });
  std::vector<State> kept;
  for (const State& state : states) {
    if (kept.empty() || state.noise < kept.back().noise) kept.push_back(state);
  }
  return kept;
}

/// The cheapest state of each step of the noise; the quietest of all stays.
std::vector<State> thinned(const std::vector<State>& states, size_t most) {
  if (states.size() <= most) return states;
  const double floor = std::max(states.back().noise, states.front().noise * 1e-12);
  const double span = std::log(states.front().noise / floor);
  std::vector<State> kept;
  double last = std::numeric_limits<double>::infinity();
  for (const State& state : states) {
    const double height = std::log(std::max(state.noise, floor) / floor);
    const double step = std::floor(height / span * static_cast<double>(most - 1));
    if (step < last) kept.push_back(state);
    last = std::min(last, step);
  }
  if (kept.back().noise != states.back().noise) kept.push_back(states.back());
  return kept;
}

}  // namespace

std::vector<KnapsackChoice> best_choices(const std::vector<std::vector<KnapsackOption>>& items,
                                         size_t most) {
  std::vector<std::vector<State>> steps = {{State{}}};
  for (const std::vector<KnapsackOption>& options : items) {
    std::vector<State> next;
    for (size_t before = 0; before < steps.back().size(); ++before) {
      const State& state = steps.back()[before];
      for (size_t pick = 0; pick < options.size(); ++pick) {
        next.push_back(
            {state.cost + options[pick].cost, state.noise + options[pick].noise, before, pick});
      }
    }
    steps.push_back(thinned(without_losers(std::move(next)), most));
  }
  std::vector<KnapsackChoice> choices;
  for (const State& last : steps.back()) {
    KnapsackChoice choice{last.cost, last.noise, std::vector<size_t>(items.size())};
    const State* state = &last;
    for (size_t item = items.size(); item > 0; --item) {
      choice.picks[item - 1] = state->pick;
      state = &steps[item - 1][state->before];
    }
    choices.push_back(std::move(choice));
  }
  return choices;
}

}  // namespace wattwise::quantize
