// SPDX-License-Identifier: Apache-2.0
// What multiplies and adds constants next to a linear operator is done once, in its weights.
//
//   before:  Conv(x, W, b) -> Mul(s) -> Add(t)          after:  Conv(x, sW, sb + t)
//   before:  Mul(x, s) -> Add(t) -> Conv(W, b)          after:  Conv(x, Ws, b + Wt)
//
// For Conv, ConvTranspose, Gemm and MatMul with constant weights; s and t are numbers or hold one
// per channel. After: s(Wx + b) + t = (sW)x + (sb + t), for output channels. Before:
// W(sx + t) + b = (Ws)x + (b + Wt), for input channels. A chain of Mul, Div, Add, Sub, Neg and
// BatchNormalization counts as one s and t. MatMul cannot hold a bias, so a shift stays behind it
// as one Add, where Gemm and convolutions take it in. A convolution that pads zeros gives its
// borders less of Wt than the rest, so t stays in front: as one BatchNormalization(s, t) where the
// runtime then keeps its blocked layout, which an Add would break, or else as Add(x, t/s), while s
// goes in.
#include <algorithm>

#include "optimize/channel_chain.h"
#include "optimize/linear_operator.h"
#include "optimize/passes/passes.h"
#include "optimize/runtime_fusions.h"

namespace wattwise::optimize {
namespace {

/// Weights that several nodes read may be doubled up to this many.
constexpr int64_t kSmallShared = 4096;
/// Larger weights stay as they are: rewriting them takes five times their bytes for a while.
constexpr size_t kLargestRewritten = size_t{64} << 20;

using Chain = ChannelChain;

/// Whether some reader adds more to an output in its middle than at its borders.
bool has_borders(const std::vector<LinearOperator>& takers) {
  return std::any_of(takers.begin(), takers.end(),
                     [](const LinearOperator& taker) { return !taker.spreads_evenly(); });
}

class Fusion {
 public:
  Fusion(GraphEditor& graph, const model::ShapeTable& shapes, TargetFacts target,
         PassOutcome& outcome)
      : graph_(graph), shapes_(shapes), target_(target), outcome_(outcome) {}

  void run() {
    for (model::Node* node : graph_.nodes()) {
      if (auto linear = read(*node)) fuse_following(*linear);
      if (auto linear = read(*node)) fuse_preceding(*linear);
    }
  }

 private:
  std::optional<LinearOperator> read(model::Node& node) const;
  bool may_rewrite(const LinearOperator& linear, const Chain& chain);
  Chain following(const LinearOperator& linear) const;
  Chain preceding(const LinearOperator& linear) const;
  bool keeps_shape(const std::string& value, const Affine& affine, const ChannelAxis& axis) const;
  void fuse_following(LinearOperator& linear);
  void fuse_preceding(LinearOperator& first);
  std::vector<LinearOperator> takers(const LinearOperator& first, const Chain& chain);
  void absorb(std::vector<LinearOperator>& takers, const Chain& chain);
  size_t nodes_left(const std::vector<LinearOperator>& takers, const Chain& chain) const;
  void add_after(model::Node& node, const Channels& shift);
  std::string add_before(const Chain& chain, const ChannelAxis& axis);
  bool is_blocked(const ChannelAxis& axis) const;

  GraphEditor& graph_;
  const model::ShapeTable& shapes_;
  TargetFacts target_;
  PassOutcome& outcome_;
};

std::optional<LinearOperator> Fusion::read(model::Node& node) const {
  if (node.inputs.empty()) return std::nullopt;
  const auto shape = shapes_.find(node.inputs[0]);
  const bool known = shape != shapes_.end();
  return LinearOperator::read(graph_, node,
                              known ? std::optional(shape->second.shape.size()) : std::nullopt);
}

/// Weights that others read as well would be stored twice.
bool Fusion::may_rewrite(const LinearOperator& linear, const Chain& chain) {
  const std::string& name = linear.node().inputs[1];
  if (graph_.constant(name)->data.size() > kLargestRewritten) {
    outcome_.decisions.push_back({"refuse", chain.nodes.front()->outputs[0],
                                  "the weights next to it are larger than 64 MiB"});
    return false;
  }
  if (graph_.defines(name) && graph_.uses(name) == 1) return true;
  if (graph_.constant(name)->element_count() <= kSmallShared) return true;
  outcome_.decisions.push_back(
      {"refuse", chain.nodes.front()->outputs[0],
       "its operator shares its weights with others, and they would be stored twice"});
  return false;
}

Chain Fusion::following(const LinearOperator& linear) const {
  const ChannelAxis& axis = linear.output();
  Chain chain = empty_chain("", axis);
  std::string value = linear.node().outputs[0];
  while (!graph_.is_output(value) && graph_.uses(value) == 1) {
    const auto readers = graph_.readers(value);
    if (readers.size() != 1) break;
    const auto step = affine_step(graph_, *readers[0], axis.rank);
    if (!step || step->input != value) break;
    if (!compose_into(chain, *step, axis, ChainEnd::kLast)) break;
    chain.nodes.push_back(step->node);
    value = step->node->outputs[0];
  }
  return chain;
}

/// Whether the affine function leaves the value's shape as it is, so that the value can stand in
/// for the result.
bool Fusion::keeps_shape(const std::string& value, const Affine& affine,
                         const ChannelAxis& axis) const {
  const size_t rank = std::max(affine.scale.shape.size(), affine.shift.shape.size());
  if (rank == 0) return true;
  const auto found = shapes_.find(value);
  if (found == shapes_.end() || found->second.shape.size() != axis.rank) return false;
  const bool one = affine.scale.values.size() == 1 && affine.shift.values.size() == 1;
  return one || found->second.shape[axis.rank - 1 - axis.from_end] == axis.count;
}

Chain Fusion::preceding(const LinearOperator& linear) const {
  const ChannelAxis& axis = linear.input();
  Chain chain = empty_chain(linear.node().inputs[0], axis);
  model::Node* node = graph_.producer(chain.input);
  while (node && !graph_.is_output(chain.input)) {
    if (!chain.nodes.empty() && graph_.uses(chain.input) != 1) break;
    const auto step = affine_step(graph_, *node, axis.rank);
    if (!step || !keeps_shape(step->input, step->affine, axis)) break;
    if (starts_fused_tail(graph_, step->input)) break;
    if (!compose_into(chain, *step, axis, ChainEnd::kFirst)) break;
    chain.nodes.insert(chain.nodes.begin(), node);
    chain.input = step->input;
    node = graph_.producer(chain.input);
  }
  return chain;
}

void Fusion::add_after(model::Node& node, const Channels& shift) {
  const std::vector<float> values(shift.begin(), shift.end());
  const std::string result = node.outputs[0];
  const std::string unshifted = graph_.unique(result + "_unshifted");
  const std::string constant = graph_.add_constant(
      result + "_shift", make_float_tensor({static_cast<int64_t>(values.size())}, values));
  graph_.set_outputs(node, {unshifted});
  graph_.add(make_node("Add", {unshifted, constant}, result));
}

void Fusion::fuse_following(LinearOperator& linear) {
  const Chain chain = following(linear);
  const size_t left = chain.shifts() && !linear.takes_bias() ? 1 : 0;
  if (chain.nodes.size() <= left || !may_rewrite(linear, chain)) return;
  const bool only_shifts =
      std::all_of(chain.scale.begin(), chain.scale.end(), [](double scale) { return scale == 1; });
  Channels shift = chain.shift;
  if (left == 1) std::fill(shift.begin(), shift.end(), 0);
  linear.apply_after(chain.scale, shift);
  if (!linear.fits() || !float_tensor({{linear.output().count}, chain.shift})) return;
  if (!only_shifts || left == 0) linear.write(graph_);
  const std::string result = chain.result();
  for (model::Node* node : chain.nodes) graph_.remove(*node);
  graph_.set_outputs(linear.node(), {result});
  if (left == 1) add_after(linear.node(), chain.shift);
  outcome_.changed += static_cast<int64_t>(chain.nodes.size());
}

/// All readers of the chain's result, if each is an operator that can take it in.
std::vector<LinearOperator> Fusion::takers(const LinearOperator& first, const Chain& chain) {
  const std::string& value = first.node().inputs[0];
  std::vector<LinearOperator> takers;
  for (model::Node* node : graph_.readers(value)) {
    auto linear = read(*node);
    if (!linear || node->inputs[0] != value || linear->input().count != first.input().count ||
        linear->input().from_end != first.input().from_end || !may_rewrite(*linear, chain)) {
      return {};
    }
    takers.push_back(std::move(*linear));
  }
  const auto reads = static_cast<size_t>(graph_.uses(value));
  return takers.size() == reads ? std::move(takers) : std::vector<LinearOperator>();
}

/// Additions that remain: one in front of convolutions with padding, or one behind each MatMul that
/// has none yet.
size_t Fusion::nodes_left(const std::vector<LinearOperator>& takers, const Chain& chain) const {
  if (!chain.shifts()) return 0;
  if (has_borders(takers)) return 1;
  return static_cast<size_t>(
      std::count_if(takers.begin(), takers.end(), [&](const LinearOperator& taker) {
        return !taker.takes_bias() && following(taker).nodes.empty();
      }));
}

std::string Fusion::add_before(const Chain& chain, const ChannelAxis& axis) {
  Channels shift = chain.shift;
  for (size_t c = 0; c < shift.size(); ++c) shift[c] /= chain.scale[c];
  const auto tensor = float_tensor(from_channels(shift, axis));
  if (!tensor) return {};
  std::string shifted = graph_.unique(chain.input + "_shifted");
  const std::string constant = graph_.add_constant(shifted + "_by", *tensor);
  graph_.add(make_node("Add", {chain.input, constant}, shifted));
  return shifted;
}

/// Whether the runtime keeps the value in its blocked layout around convolutions.
bool Fusion::is_blocked(const ChannelAxis& axis) const {
  return axis.rank == 4 && target_.channel_block > 0 && axis.count % target_.channel_block == 0;
}

void Fusion::absorb(std::vector<LinearOperator>& takers, const Chain& chain) {
  const bool keeps_shift = chain.shifts() && has_borders(takers);
  const Channels none(chain.shift.size(), 0);
  std::vector<Channels> added;
  for (LinearOperator& taker : takers) {
    added.push_back(taker.apply_before(chain.scale, keeps_shift ? none : chain.shift));
    if (!taker.fits() || !float_tensor({{taker.output().count}, added.back()})) return;
  }
  const std::string input = keeps_shift ? add_before(chain, takers.front().input()) : chain.input;
  if (input.empty()) return;
  for (size_t i = 0; i < takers.size(); ++i) {
    takers[i].write(graph_);
    graph_.set_input(takers[i].node(), 0, input);
    const bool behind =
        std::any_of(added[i].begin(), added[i].end(), [](double t) { return t != 0; });
    if (behind && !takers[i].takes_bias()) add_after(takers[i].node(), added[i]);
  }
  for (model::Node* node : chain.nodes) graph_.remove(*node);
  outcome_.changed += static_cast<int64_t>(chain.nodes.size());
}

void Fusion::fuse_preceding(LinearOperator& first) {
  const Chain chain = preceding(first);
  if (chain.nodes.empty()) return;
  std::vector<LinearOperator> all = takers(first, chain);
  if (all.empty()) return;
  if (chain.shifts() && has_borders(all) && is_blocked(first.input())) {
    outcome_.changed += normalize(graph_, chain);
  } else if (nodes_left(all, chain) < chain.nodes.size()) {
    absorb(all, chain);
  }
}

}  // namespace

Result<PassOutcome> fuse_affine_into_weights(model::Model& model, const PassContext& context) {
  PassOutcome outcome;
  if (model.opset("") < kFirstBroadcastingOpset) return outcome;
  const model::ShapeTable* shapes = WATTWISE_TRY(context.shapes(model));
  ModelEditor& editor = context.open(model);
  for (GraphEditor& graph : editor.graphs())
    Fusion(graph, *shapes, context.target(), outcome).run();
  WATTWISE_TRY(editor.finish());
  return outcome;
}

}  // namespace wattwise::optimize
