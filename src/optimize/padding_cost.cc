// SPDX-License-Identifier: Apache-2.0
#include "optimize/padding_cost.h"

#include <algorithm>

namespace wattwise::optimize {
namespace {

/// What ONNX Runtime's reordering routines ask of a number of channels.
constexpr int64_t kPaddedAlignment = 4;

// Measured with chains of 1x1, 3x3 and depthwise convolutions of 4 to 50 channels on planes of 16
// and 64 (ONNX Runtime 1.32, one thread, AVX-512 and AVX2), against the time of a multiply-add in
// the blocked layout.
constexpr double kSingleBlock = 1.35;  // a filter block alone keeps fewer registers busy
constexpr double kDepthwise = 1.5;     // bound by memory
constexpr double kUnblockedDepthwise = 12;
// A convolution as matrix product, with blocks of 16 and smaller ones:
constexpr double kUnblockedWide = 1.45;
constexpr double kUnblocked = 1.15;
// The same on planes of few places, which fill only a part of the product's columns:
constexpr double kUnblockedNarrow = 2.4;
constexpr int64_t kNarrow = 8;
// Per element read, with blocks of kWide; smaller blocks compute more slowly but move as fast:
constexpr double kReorder = 40;     // out of the blocked layout, for a convolution of few channels
constexpr double kRoundTrip = 50;   // out and back around another node
constexpr double kConcatCost = 10;  // inside the blocked layout
constexpr int64_t kWide = 16;

constexpr double kTrusted = 0.95;
/// What a size that is not known counts as.
constexpr int64_t kFreeSize = 4;

bool is_convolution(const ChannelNode& node) {
  return node.role == ChannelRole::kConv || node.role == ChannelRole::kDepthwise;
}

struct PaddedChannels {
  int64_t in;
  int64_t out;
};

/// One node's work at one place of the plane, before and after.
class NodeCost {
 public:
  NodeCost(ChannelRegions& regions, const ChannelNode& node, int64_t block, int64_t places)
      : block_(block),
        places_(places),
        role_(node.role),
        real_{regions.real(node.data[0]), regions.real(node.output())},
        padded_{regions.padded(node.data[0]), regions.padded(node.output())} {}

  /// `kernel` is the number of weights a filter has for a channel.
  double before(double kernel, bool input_blocked) const {
    return work(real_, kernel, breaks(real_, input_blocked));
  }
  double after(double kernel, bool input_blocked) const {
    if (role_ == ChannelRole::kWiden) {
      return padded_.in == padded_.out ? 0 : move(kConcatCost, padded_.out);
    }
    return work(padded_, kernel, breaks(padded_, input_blocked));
  }
  /// Whether the provider leaves its blocked layout for the node, and no longer does.
  bool cured(bool input_blocked) const {
    return breaks(real_, input_blocked) &&
           (role_ == ChannelRole::kWiden || !breaks(padded_, input_blocked));
  }
  int64_t added_weights() const { return filters(padded_) - filters(real_); }

 private:
  bool reads_in_place(const PaddedChannels& channels) const {
    return role_ == ChannelRole::kConv && channels.in < block_;
  }
  bool breaks(const PaddedChannels& channels, bool input_blocked) const {
    if (role_ == ChannelRole::kWiden) return true;
    if (role_ == ChannelRole::kMap) return false;
    if (reads_in_place(channels)) return input_blocked;
    return channels.in % kPaddedAlignment != 0;
  }
  double work(const PaddedChannels& channels, double kernel, bool broken) const {
    const auto in = static_cast<double>(channels.in);
    const auto out = static_cast<double>(channels.out);
    const auto filled_out = static_cast<double>(filled(channels.out));
    switch (role_) {
      case ChannelRole::kConv: {
        if (broken && !reads_in_place(channels)) return unblocked() * kernel * in * out;
        const double rate = filled(channels.out) == block_ ? kSingleBlock : 1;
        if (!reads_in_place(channels)) {
          return rate * kernel * static_cast<double>(filled(channels.in)) * filled_out;
        }
        return rate * kernel * in * filled_out + (broken ? move(kReorder, channels.in) : 0);
      }
      case ChannelRole::kDepthwise:
        return broken ? kUnblockedDepthwise * kernel * out : kDepthwise * kernel * filled_out;
      case ChannelRole::kPool:
      case ChannelRole::kWiden:
        return broken ? move(kRoundTrip, channels.in) : 0;
      case ChannelRole::kMap:
        break;
    }
    return 0;
  }
  double unblocked() const {
    if (places_ <= kNarrow) return kUnblockedNarrow;
    return block_ >= kWide ? kUnblockedWide : kUnblocked;
  }
  double move(double cost, int64_t channels) const {
    return cost * static_cast<double>(channels * block_) / static_cast<double>(kWide);
  }
  int64_t filters(const PaddedChannels& channels) const {
    return role_ == ChannelRole::kDepthwise ? channels.out : channels.in * channels.out;
  }
  int64_t filled(int64_t channels) const { return (channels + block_ - 1) / block_ * block_; }

  int64_t block_;
  int64_t places_;
  ChannelRole role_;
  PaddedChannels real_;
  PaddedChannels padded_;
};

/// Places of the output's plane; who leaves a size free feeds more than one place.
int64_t places_of(const model::ShapeTable& shapes, const std::string& value) {
  const std::vector<int64_t>& shape = shapes.at(value).shape;
  const auto counted = [](int64_t size) { return size < 0 ? kFreeSize : size; };
  return counted(shape[2]) * counted(shape[3]);
}

int64_t kernel_of(const GraphEditor& graph, const ChannelNode& node) {
  if (!is_convolution(node)) return 0;
  const model::Constant* weight = graph.constant(node.node->inputs[1]);
  return weight->shape[2] * weight->shape[3];
}

}  // namespace

bool PaddingCost::pays() const {
  return breaks > 0 && work_after <= kTrusted * work_before &&
         work_before - work_after > static_cast<double>(added_weights);
}

std::unordered_map<std::string, PaddingCost> padding_costs(ChannelRegions& regions,
                                                           const GraphEditor& graph,
                                                           const model::ShapeTable& shapes,
                                                           int64_t block) {
  std::unordered_map<std::string, PaddingCost> costs;
  std::unordered_map<std::string, bool> made_here;
  for (const ChannelNode& node : regions.nodes()) {
    PaddingCost& cost = costs[regions.region(node)];
    const int64_t places = places_of(shapes, node.output());
    const NodeCost one(regions, node, block, places);
    const bool blocked = made_here[node.data[0]];
    made_here[node.output()] = true;
    const int64_t kernel = kernel_of(graph, node);
    const auto kernel_size = static_cast<double>(kernel);
    const auto area = static_cast<double>(places);
    cost.breaks += one.cured(blocked) ? 1 : 0;
    cost.work_before += area * one.before(kernel_size, blocked);
    cost.work_after += area * one.after(kernel_size, blocked);
    if (!is_convolution(node)) continue;
    cost.added_weights += kernel * one.added_weights();
    ++cost.convolutions;
  }
  return costs;
}

}  // namespace wattwise::optimize
