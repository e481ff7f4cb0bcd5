// SPDX-License-Identifier: Apache-2.0
// What scales and shifts a value between convolutions is one BatchNormalization.
//
//   before:  Conv -> Relu -> Mul(s) -> Add(t) -> GlobalAveragePool, Conv, ..
//   after:   Conv -> Relu -> BatchNormalization(s, t) -> GlobalAveragePool, Conv, ..
//
// x s + t = (x - 0) / sqrt(v + e) * s + t with v + e = 1; s and t are numbers or hold one per
// channel. ONNX Runtime keeps what is between convolutions in a blocked layout and leaves it for
// operators that know no blocks, as a Mul or Add of a constant is. A BatchNormalization it runs as
// a depthwise convolution of one place, in the layout. What can go into weights nearby has gone
// there before: see fuse_affine_into_weights. Left alone: values that are not in blocks, or that
// nothing reads in blocks.
#include <fmt/format.h>

#include <algorithm>

#include "optimize/blocked_values.h"
#include "optimize/channel_chain.h"
#include "optimize/channel_nodes.h"
#include "optimize/passes/passes.h"
#include "optimize/runtime_fusions.h"

namespace wattwise::optimize {
namespace {

constexpr size_t kRank = 4;

class Keeping {
 public:
  Keeping(GraphEditor& graph, const model::ShapeTable& shapes, int64_t block, PassOutcome& outcome)
      : graph_(graph),
        shapes_(shapes),
        block_(block),
        blocked_(graph, shapes, block),
        outcome_(outcome) {}

  void run() {
    for (model::Node* node : graph_.nodes()) {
      const bool there = !node->outputs.empty() && graph_.producer(node->outputs[0]) == node;
      if (there) rewrite(*node);
    }
  }

 private:
  std::optional<ChannelChain> chain_from(model::Node& first) const;
  std::string objection(const ChannelChain& chain) const;
  void rewrite(model::Node& first);

  GraphEditor& graph_;
  const model::ShapeTable& shapes_;
  int64_t block_;
  BlockedValues blocked_;
  PassOutcome& outcome_;
};

/// The longest chain that starts with the node.
std::optional<ChannelChain> Keeping::chain_from(model::Node& first) const {
  auto step = affine_step(graph_, first, kRank);
  if (!step || !blocked_.contains(step->input)) return std::nullopt;
  if (starts_fused_tail(graph_, step->input)) return std::nullopt;
  const ChannelAxis axis{2, *channels_of(shapes_, step->input), kRank};
  ChannelChain chain = empty_chain(step->input, axis);
  std::string value = step->input;
  while (step && step->input == value && compose_into(chain, *step, axis, ChainEnd::kLast)) {
    chain.nodes.push_back(step->node);
    value = chain.result();
    const auto readers = graph_.readers(value);
    if (graph_.uses(value) != 1 || readers.size() != 1) break;
    step = affine_step(graph_, *readers[0], kRank);
  }
  return chain.nodes.empty() ? std::nullopt : std::optional(std::move(chain));
}

/// Why the chain stays; empty if it does not. A node that leaves the layout for one of its readers
/// anyway may as well do so in front of one operation.
std::string Keeping::objection(const ChannelChain& chain) const {
  const std::string& result = chain.result();
  if (!blocked_.fills_blocks(chain.input)) {
    return fmt::format("its {} channels fill no whole blocks of {}",
                       *channels_of(shapes_, chain.input), block_);
  }
  const auto readers = graph_.readers(result);
  const auto in_blocks = std::count_if(readers.begin(), readers.end(), [&](model::Node* reader) {
    return blocked_.reads_blocked(*reader, result);
  });
  const bool only = in_blocks == graph_.uses(result);
  const bool pays = in_blocks > 0 && (only || chain.nodes.size() > 1);
  return pays ? "" : "what reads it leaves the blocked layout anyway";
}

void Keeping::rewrite(model::Node& first) {
  const auto chain = chain_from(first);
  if (!chain || chain->is_normalization()) return;
  const std::string why = objection(*chain);
  if (why.empty()) {
    outcome_.changed += normalize(graph_, *chain);
  } else {
    outcome_.decisions.push_back({"refuse", chain->result(), why});
  }
}

}  // namespace

Result<PassOutcome> keep_blocked_layout(model::Model& model, const PassContext& context) {
  PassOutcome outcome;
  const int64_t block = context.target().channel_block;
  if (block < 2 || model.opset("") < kFirstBroadcastingOpset) return outcome;
  const model::ShapeTable* shapes = WATTWISE_TRY(context.shapes(model));
  ModelEditor& editor = context.open(model);
  for (GraphEditor& graph : editor.graphs()) Keeping(graph, *shapes, block, outcome).run();
  WATTWISE_TRY(editor.finish());
  return outcome;
}

}  // namespace wattwise::optimize
