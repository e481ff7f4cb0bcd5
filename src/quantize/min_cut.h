// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

namespace wattwise::quantize {

/// Splits vertices into two sides at the least total cost, by a maximum flow (Dinic's algorithm).
///
///     MinCut cut(2);
///     cut.add_costs(0, 5, 1);  // 5 if vertex 0 is on the near side, 1 if it is on the far one
///     cut.add_edge(0, 1, 3);   // 3 if 0 is near and 1 is far
///     const std::vector<bool> near = cut.solve();
class MinCut {
 public:
  explicit MinCut(size_t vertices);
  /// Costs of the vertex on either side, each 0 or more.
  void add_costs(size_t vertex, double near, double far);
  /// Cost of having `from` near and `to` far.
  void add_edge(size_t from, size_t to, double cost);
  /// Whether each vertex is on the near side. Of equally good cuts, the one with least near.
  std::vector<bool> solve();

  /// A cost that no solution may pay.
  static constexpr double kForbidden = 1e18;

 private:
  struct Edge {
    size_t to;
    double room;  ///< capacity that is left
  };
  bool find_levels();
  double push(size_t vertex, double flow);

  size_t source_, sink_;
  std::vector<Edge> edges_;  ///< each followed by its reverse
  std::vector<std::vector<size_t>> leaving_;
  std::vector<int> level_;
  std::vector<size_t> next_;
};

}  // namespace wattwise::quantize
