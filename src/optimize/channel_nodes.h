// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/graph.h"
#include "optimize/graph_editor.h"

namespace wattwise::optimize {

/// What a node makes of the channels (axis 1) of its four-dimensional float inputs.
enum class ChannelRole {
  kConv,       ///< group 1: numbers of channels in and out are independent
  kDepthwise,  ///< one filter per channel
  kPool,       ///< window by window, channel by channel
  kMap,        ///< element by element: activations, sums and products
  kWiden,      ///< appends channels that are zero
};

/// A node whose number of channels can be changed by changing its constants.
struct ChannelNode {
  model::Node* node = nullptr;
  ChannelRole role = ChannelRole::kMap;
  std::vector<std::string> data;    ///< the inputs that have channels, each read
  std::vector<size_t> per_channel;  ///< slots of elementwise constants with a value per channel
  bool any_zero_suffices = false;   ///< a product: zero where one operand is
  bool keeps_zero = true;           ///< zero where all operands are

  const std::string& output() const { return node->outputs[0]; }
};

/// Channels of a four-dimensional float value, if known.
std::optional<int64_t> channels_of(const model::ShapeTable& shapes, const std::string& value);

/// The node as one that channels pass through; absent for any other. Types, constants and shapes
/// are checked. What the added channels hold is finite if it is in the inputs.
std::optional<ChannelNode> channel_node(const GraphEditor& graph, const model::ShapeTable& shapes,
                                        model::Node& node);

}  // namespace wattwise::optimize
