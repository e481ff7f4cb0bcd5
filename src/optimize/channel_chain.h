// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "optimize/affine.h"
#include "optimize/graph_editor.h"

namespace wattwise::optimize {

/// One number per channel.
using Channels = std::vector<double>;

/// Nodes in a row that are one affine function, by channel: x * scale + shift.
struct ChannelChain {
  std::vector<model::Node*> nodes;  ///< in the order in which they compute
  std::string input;
  Channels scale;
  Channels shift;

  bool shifts() const;
  /// Whether it is one BatchNormalization already.
  bool is_normalization() const { return nodes.size() == 1 && nodes[0]->is("BatchNormalization"); }
  const std::string& result() const { return nodes.back()->outputs[0]; }
};

/// What leaves `input` as it is.
ChannelChain empty_chain(const std::string& input, const ChannelAxis& axis);

/// Where a step joins a chain.
enum class ChainEnd { kFirst, kLast };
/// The step's scale and shift become part of the chain's; its nodes and input stay. False,
/// with the chain as it was, if the step does not go channel by channel.
bool compose_into(ChannelChain& chain, const AffineStep& step, const ChannelAxis& axis,
                  ChainEnd end);

/// Puts one BatchNormalization in the place of the chain's nodes and returns how many these were; 0
/// if they are one already, or floats cannot hold its numbers. A provider with a blocked layout for
/// convolutions runs it there as one, where it would leave the layout for constants.
int64_t normalize(GraphEditor& graph, const ChannelChain& chain);

}  // namespace wattwise::optimize
