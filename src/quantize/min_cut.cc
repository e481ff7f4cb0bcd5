// SPDX-License-Identifier: Apache-2.0
#include "quantize/min_cut.h"

#include <algorithm>

namespace wattwise::quantize {
namespace {

/// Costs are nanoseconds: less is no room.
constexpr double kNoRoom = 1e-6;

}  // namespace

MinCut::MinCut(size_t vertices) : source_(vertices), sink_(vertices + 1), leaving_(vertices + 2) {}

void MinCut::add_edge(size_t from, size_t to, double cost) {
  if (cost <= 0) return;
  leaving_[from].push_back(edges_.size());
  edges_.push_back({to, cost});
  leaving_[to].push_back(edges_.size());
  edges_.push_back({from, 0});
}

void MinCut::add_costs(size_t vertex, double near, double far) {
  add_edge(source_, vertex, far);
  add_edge(vertex, sink_, near);
}

bool MinCut::find_levels() {
  level_.assign(leaving_.size(), -1);
  level_[source_] = 0;
  std::vector<size_t> queue = {source_};
  for (size_t head = 0; head < queue.size(); ++head) {
    for (const size_t edge : leaving_[queue[head]]) {
      const size_t to = edges_[edge].to;
      if (edges_[edge].room <= kNoRoom || level_[to] >= 0) continue;
      level_[to] = level_[queue[head]] + 1;
      queue.push_back(to);
    }
  }
  return level_[sink_] >= 0;
}

double MinCut::push(size_t vertex, double flow) {
  if (vertex == sink_) return flow;
  for (size_t& at = next_[vertex]; at < leaving_[vertex].size(); ++at) {
    const size_t edge = leaving_[vertex][at];
    const size_t to = edges_[edge].to;
    if (edges_[edge].room <= kNoRoom || level_[to] != level_[vertex] + 1) continue;
    const double pushed = push(to, std::min(flow, edges_[edge].room));
    if (pushed <= 0) continue;
    edges_[edge].room -= pushed;
    edges_[edge ^ 1U].room += pushed;
    return pushed;
  }
  return 0;
}

std::vector<bool> MinCut::solve() {
  while (find_levels()) {
    next_.assign(leaving_.size(), 0);
    while (push(source_, kForbidden) > 0) {
    }
  }
  std::vector<bool> near(leaving_.size() - 2);
  for (size_t i = 0; i < near.size(); ++i) near[i] = level_[i] >= 0;
  return near;
}

}  // namespace wattwise::quantize
