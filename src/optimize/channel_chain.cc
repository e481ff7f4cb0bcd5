// SPDX-License-Identifier: Apache-2.0
#include "optimize/channel_chain.h"

#include <algorithm>
#include <utility>

namespace wattwise::optimize {

bool ChannelChain::shifts() const {
  return std::any_of(shift.begin(), shift.end(), [](double t) { return t != 0; });
}

ChannelChain empty_chain(const std::string& input, const ChannelAxis& axis) {
  const auto count = static_cast<size_t>(axis.count);
  return {{}, input, Channels(count, 1), Channels(count, 0)};
}

/// (x * inner.scale + inner.shift) * outer.scale + outer.shift
bool compose_into(ChannelChain& chain, const AffineStep& step, const ChannelAxis& axis,
                  ChainEnd end) {
  const auto scale = per_channel(step.affine.scale, axis);
  const auto shift = per_channel(step.affine.shift, axis);
  if (!scale || !shift) return false;
  const bool chain_is_outer = end == ChainEnd::kFirst;
  for (size_t c = 0; c < chain.scale.size(); ++c) {
    const double outer_scale = chain_is_outer ? chain.scale[c] : (*scale)[c];
    const double outer_shift = chain_is_outer ? chain.shift[c] : (*shift)[c];
    const double first_shift = chain_is_outer ? (*shift)[c] : chain.shift[c];
    chain.scale[c] *= (*scale)[c];
    chain.shift[c] = first_shift * outer_scale + outer_shift;
  }
  return true;
}

int64_t normalize(GraphEditor& graph, const ChannelChain& chain) {
  if (chain.is_normalization()) return 0;
  constexpr double kEpsilon = 1e-5;
  const std::string result = chain.result();
  const size_t channels = chain.scale.size();
  const auto tensor = [&](const Channels& values) {
    return float_tensor({{static_cast<int64_t>(channels)}, values});
  };
  const auto scale = tensor(chain.scale);
  const auto shift = tensor(chain.shift);
  if (!scale || !shift) return 0;
  model::Node node = make_node(
      "BatchNormalization",
      {chain.input, graph.add_constant(result + "_scale", *scale),
       graph.add_constant(result + "_shift", *shift),
       graph.add_constant(result + "_mean", *tensor(Channels(channels, 0))),
       graph.add_constant(result + "_variance", *tensor(Channels(channels, 1 - kEpsilon)))},
      result);
  node.set_attribute("epsilon", static_cast<float>(kEpsilon));
  for (model::Node* old : chain.nodes) graph.remove(*old);
  graph.add(std::move(node));
  return static_cast<int64_t>(chain.nodes.size());
}

}  // namespace wattwise::optimize
