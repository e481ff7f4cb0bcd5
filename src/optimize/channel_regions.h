// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "optimize/channel_nodes.h"

namespace wattwise::optimize {

/// Sets of names that grow together.
class NameSets {
 public:
  /// The name that stands for the set.
  const std::string& find(const std::string& name);
  void unite(const std::string& a, const std::string& b) { parents_[find(a)] = find(b); }

 private:
  std::unordered_map<std::string, std::string> parents_;
};

/// The values of one graph that must have equal numbers of channels, and how many each gets when
/// every number that may grow is rounded up to the block of the provider's layout. Numbers that
/// something else sees (ports, reshapes, concatenations) stay.
class ChannelRegions {
 public:
  ChannelRegions(GraphEditor& graph, const model::ShapeTable& shapes, int64_t block);

  /// Nodes with channels in order; appended zeros whose neighbours cannot grow are left out.
  const std::vector<ChannelNode>& nodes() const { return nodes_; }
  int64_t real(const std::string& value) const { return *channels_of(shapes_, value); }
  /// Channels that the value is to have.
  int64_t padded(const std::string& value);
  /// Name of the connected region that the node belongs to.
  const std::string& region(const ChannelNode& node) { return regions_.find(node.output()); }

 private:
  void collect(GraphEditor& graph);
  void tie();
  void pin_borders(const GraphEditor& graph);
  void mark_clean();
  void drop_fixed_widenings();
  void absorb_widenings();
  void pin(const std::string& value) { pinned_[classes_.find(value)] = true; }
  bool pinned(const std::string& value) { return pinned_[classes_.find(value)]; }
  int64_t round_up(int64_t channels) const { return (channels + block_ - 1) / block_ * block_; }

  const model::ShapeTable& shapes_;
  int64_t block_;
  std::vector<ChannelNode> nodes_;
  NameSets classes_;
  NameSets regions_;
  std::unordered_map<std::string, bool> pinned_;   // by class
  std::unordered_map<std::string, int64_t> most_;  // by class: the largest real number
  std::unordered_map<std::string, bool> clean_;    // by value: added channels would be zero
};

}  // namespace wattwise::optimize
