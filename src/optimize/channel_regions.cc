// SPDX-License-Identifier: Apache-2.0
#include "optimize/channel_regions.h"

#include <algorithm>

namespace wattwise::optimize {

const std::string& NameSets::find(const std::string& name) {
  auto it = parents_.try_emplace(name, name).first;
  while (it->second != it->first) {
    const auto up = parents_.find(it->second);
    it->second = up->second;
    it = up;
  }
  return it->first;
}

ChannelRegions::ChannelRegions(GraphEditor& graph, const model::ShapeTable& shapes, int64_t block)
    : shapes_(shapes), block_(block) {
  collect(graph);
  tie();
  pin_borders(graph);
  mark_clean();
  drop_fixed_widenings();
  absorb_widenings();
}

void ChannelRegions::collect(GraphEditor& graph) {
  for (model::Node* node : graph.nodes()) {
    if (auto made = channel_node(graph, shapes_, *node)) nodes_.push_back(std::move(*made));
  }
}

void ChannelRegions::tie() {
  for (const ChannelNode& node : nodes_) {
    for (const std::string& value : node.data) {
      regions_.unite(value, node.output());
      const bool separate = node.role == ChannelRole::kConv || node.role == ChannelRole::kWiden;
      if (!separate) classes_.unite(value, node.output());
    }
  }
  for (const ChannelNode& node : nodes_) {
    most_[classes_.find(node.output())] = real(node.output());
    for (const std::string& value : node.data) most_[classes_.find(value)] = real(value);
  }
}

void ChannelRegions::pin_borders(const GraphEditor& graph) {
  std::unordered_map<std::string, int> reads;
  std::unordered_map<std::string, bool> made_here;
  for (const ChannelNode& node : nodes_) {
    made_here[node.output()] = true;
    for (const std::string& value : node.data) ++reads[value];
  }
  for (const ChannelNode& node : nodes_) {
    for (const std::string& value : node.data) {
      if (!made_here[value]) pin(value);
    }
  }
  for (const ChannelNode& node : nodes_) {
    for (const std::string& value : node.data) {
      if (graph.uses(value) != reads[value]) pin(value);
    }
    if (graph.uses(node.output()) != reads[node.output()]) pin(node.output());
  }
}

void ChannelRegions::mark_clean() {
  const auto clean = [&](const std::string& value) { return pinned(value) || clean_[value]; };
  for (const ChannelNode& node : nodes_) {
    if (node.role != ChannelRole::kMap && node.role != ChannelRole::kPool) {
      clean_[node.output()] = true;
    } else if (node.any_zero_suffices) {
      clean_[node.output()] =
          !node.per_channel.empty() || std::any_of(node.data.begin(), node.data.end(), clean);
    } else {
      clean_[node.output()] =
          node.keeps_zero && std::all_of(node.data.begin(), node.data.end(), clean);
    }
  }
}

void ChannelRegions::drop_fixed_widenings() {
  const auto fixed = [&](const ChannelNode& node) {
    if (node.role != ChannelRole::kWiden) return false;
    const std::string& input = node.data[0];
    return !clean_[input] || pinned(input) || pinned(node.output());
  };
  for (auto it = nodes_.begin(); it != nodes_.end();) {
    it = std::find_if(nodes_.begin(), nodes_.end(), fixed);
    if (it == nodes_.end()) return;
    pin(it->data[0]);
    pin(it->output());
    it = nodes_.erase(it);
  }
}

void ChannelRegions::absorb_widenings() {
  for (const ChannelNode& node : nodes_) {
    if (node.role != ChannelRole::kWiden) continue;
    const int64_t narrow = most_[classes_.find(node.data[0])];
    const int64_t wide = most_[classes_.find(node.output())];
    if (round_up(narrow) != round_up(wide)) continue;
    classes_.unite(node.data[0], node.output());
    most_[classes_.find(node.output())] = std::max(narrow, wide);
  }
}

int64_t ChannelRegions::padded(const std::string& value) {
  return pinned(value) ? real(value) : round_up(most_[classes_.find(value)]);
}

}  // namespace wattwise::optimize
