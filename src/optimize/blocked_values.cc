// SPDX-License-Identifier: Apache-2.0
#include "optimize/blocked_values.h"

#include <algorithm>

#include "optimize/channel_nodes.h"

namespace wattwise::optimize {

BlockedValues::BlockedValues(GraphEditor& graph, const model::ShapeTable& shapes, int64_t block)
    : graph_(graph), shapes_(shapes), block_(block) {
  for (model::Node* node : graph.nodes()) {
    if (makes_blocked(*node)) values_.insert(node->outputs[0]);
  }
}

bool BlockedValues::fills_blocks(const std::string& value) const {
  const auto channels = channels_of(shapes_, value);
  return channels && *channels % block_ == 0;
}

bool BlockedValues::makes_blocked(model::Node& node) const {
  if (node.is("BatchNormalization")) {
    return contains(node.inputs[0]) && channels_of(shapes_, node.outputs[0]);
  }
  const auto read = channel_node(graph_, shapes_, node);
  if (!read) return false;
  const auto like_output = [&](const std::string& value) {
    return contains(value) && shapes_.at(value).shape == shapes_.at(read->output()).shape;
  };
  switch (read->role) {
    case ChannelRole::kConv:  // fewer channels are read as they lie
      return fills_blocks(read->data[0]) || *channels_of(shapes_, read->data[0]) < block_;
    case ChannelRole::kDepthwise:
      return fills_blocks(read->data[0]);
    case ChannelRole::kPool:
      return fills_blocks(read->data[0]) && contains(read->data[0]);
    case ChannelRole::kMap:
      return (read->data.size() == node.inputs.size() || node.is("Clip")) &&
             std::all_of(read->data.begin(), read->data.end(), like_output);
    case ChannelRole::kWiden:
      break;
  }
  return false;
}

bool BlockedValues::reads_blocked(model::Node& node, const std::string& value) const {
  const auto read = channel_node(graph_, shapes_, node);
  if (!read || read->data[0] != value || !fills_blocks(value)) return false;
  return read->role == ChannelRole::kConv || read->role == ChannelRole::kDepthwise ||
         read->role == ChannelRole::kPool;
}

}  // namespace wattwise::optimize
