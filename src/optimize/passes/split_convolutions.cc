// SPDX-License-Identifier: Apache-2.0
// A convolution whose channels are taken apart is one convolution for each part.
//
//   before:  Conv(x, w[130]) -> c;  Slice(c, channels 0:65) -> a, Slice(c, channels 65:) -> b
//   after:   Conv(x, w[0:65]) -> a, Conv(x, w[65:]) -> b
//
// Exact: each filter sees what it saw. Taking apart would leave the provider's blocked layout, and
// the number of channels of each part could not grow to whole blocks. Left alone: parts that
// overlap, leave channels out or fill no two blocks, and convolutions that are not computed in that
// layout, which would gather their windows once for each part.
#include <algorithm>
#include <limits>

#include "optimize/bypass.h"
#include "optimize/pad_constants.h"
#include "optimize/passes/passes.h"
#include "optimize/shape_facts.h"

namespace wattwise::optimize {
namespace {

/// What the blocked layout asks of numbers of channels that are read.
constexpr int64_t kAlignment = 4;
/// Fewer blocks at once keep fewer registers busy.
constexpr int64_t kLeastBlocks = 2;

struct ConvolutionPart {
  int64_t begin;
  int64_t end;
  std::string value;
  model::Node* node;  ///< that takes it
};

/// A Conv of planes, all constant, in one group; absent for others.
const model::Constant* weight_of(const GraphEditor& graph, const model::Node& node, int64_t block) {
  if (!node.is("Conv") || node.int_or("group", 1) != 1) return nullptr;
  const model::Constant* weight = graph.constant(node.inputs[1]);
  if (!weight || weight->type != DataType::kFloat || weight->shape.size() != 4) return nullptr;
  if (has_input(node, 2)) {
    const model::Constant* bias = graph.constant(node.inputs[2]);
    if (!bias || bias->type != DataType::kFloat) return nullptr;
  }
  const int64_t in = weight->shape[1];
  return in < block || in % kAlignment == 0 ? weight : nullptr;
}

class ConvolutionSplitter {
 public:
  ConvolutionSplitter(GraphEditor& graph, int64_t block) : graph_(graph), block_(block) {}

  int64_t split(model::Node& conv) {
    const model::Constant* weight = weight_of(graph_, conv, block_);
    if (!weight) return 0;
    const int64_t channels = weight->shape[0];
    const auto parts = parts_of(conv.outputs[0], channels);
    if (!parts || !are_whole(*parts, channels)) return 0;
    for (const ConvolutionPart& part : *parts) add_part(conv, part);
    for (const ConvolutionPart& part : *parts) graph_.remove(*part.node);
    graph_.remove(conv);
    return static_cast<int64_t>(parts->size());
  }

 private:
  /// In order; absent if the value is read in another way too.
  std::optional<std::vector<ConvolutionPart>> parts_of(const std::string& value,
                                                       int64_t channels) const {
    const auto readers = graph_.readers(value);
    if (graph_.uses(value) != static_cast<int>(readers.size())) return std::nullopt;
    std::vector<ConvolutionPart> parts;
    for (model::Node* reader : readers) {
      const bool taken = reader->is("Slice")   ? add_slice(*reader, channels, parts)
                         : reader->is("Split") ? add_split(*reader, channels, parts)
                                               : false;
      if (!taken) return std::nullopt;
    }
    std::sort(parts.begin(), parts.end(),
              [](const ConvolutionPart& a, const ConvolutionPart& b) { return a.begin < b.begin; });
    return parts;
  }

  bool add_slice(model::Node& slice, int64_t channels, std::vector<ConvolutionPart>& parts) const {
    const auto one = [](const std::optional<std::vector<int64_t>>& values, int64_t wanted) {
      return values && values->size() == 1 && values->front() == wanted;
    };
    const auto starts = integers_of(graph_, slice, "starts", 1);
    const auto ends = integers_of(graph_, slice, "ends", 2);
    const auto axes = integers_of(graph_, slice, "axes", 3);
    if (has_input(slice, 4) && !one(integers_at(graph_, slice, 4), 1)) return false;
    if (!one(axes, 1) && !one(axes, -3)) return false;
    if (!starts || !ends || starts->size() != 1 || ends->size() != 1) return false;
    const int64_t begin = from_start(starts->front(), channels);
    const int64_t end = std::min(from_start(ends->front(), channels), channels);
    parts.push_back({begin, end, slice.outputs[0], &slice});
    return true;
  }

  bool add_split(model::Node& split, int64_t channels, std::vector<ConvolutionPart>& parts) const {
    const int64_t axis = split.int_or("axis", 0);
    if (axis != 1 && axis != -3) return false;
    const auto count = static_cast<int64_t>(split.outputs.size());
    const auto sizes = integers_of(graph_, split, "split", 1);
    const bool has_sizes = split.attribute("split") || has_input(split, 1);
    if (has_sizes ? !sizes || sizes->size() != split.outputs.size() : channels % count != 0) {
      return false;
    }
    int64_t begin = 0;
    for (size_t i = 0; i < split.outputs.size(); ++i) {
      const int64_t size = has_sizes ? (*sizes)[i] : channels / count;
      if (split.outputs[i].empty()) return false;
      parts.push_back({begin, begin + size, split.outputs[i], &split});
      begin += size;
    }
    return true;
  }

  bool are_whole(const std::vector<ConvolutionPart>& parts, int64_t channels) const {
    int64_t position = 0;
    for (const ConvolutionPart& part : parts) {
      if (part.begin != position || part.end - part.begin < kLeastBlocks * block_) return false;
      position = part.end;
    }
    return parts.size() > 1 && position == channels;
  }

  void add_part(const model::Node& conv, const ConvolutionPart& part) {
    model::Node node = conv;
    node.name = part.value + "_Conv";
    node.outputs = {part.value};
    for (size_t slot = 1; slot < node.inputs.size(); ++slot) {
      if (node.inputs[slot].empty()) continue;
      node.inputs[slot] = slice_constant(graph_, node.inputs[slot], part.begin, part.end);
    }
    graph_.add(std::move(node));
  }

  GraphEditor& graph_;
  int64_t block_;
};

}  // namespace

Result<PassOutcome> split_convolutions(model::Model& model, const PassContext& context) {
  const int64_t block = context.target().channel_block;
  const auto takes_apart = [](const model::Node& node) {
    return node.is("Slice") || node.is("Split");
  };
  PassOutcome outcome;
  if (block < 2 || !any_node(model, takes_apart)) return outcome;
  ModelEditor& editor = context.open(model);
  for (GraphEditor& graph : editor.graphs()) {
    ConvolutionSplitter splitter(graph, block);
    for (model::Node* node : graph.nodes()) {
      if (node->is("Conv")) outcome.changed += splitter.split(*node);
    }
  }
  WATTWISE_TRY(editor.finish());
  return outcome;
}

}  // namespace wattwise::optimize
