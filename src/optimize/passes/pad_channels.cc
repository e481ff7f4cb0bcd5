// SPDX-License-Identifier: Apache-2.0
// Channels that are zero throughout let a convolution network stay in the provider's blocked
// layout, in which `target().channel_block` channels lie side by side.
//
//   before:  x[24] -> Conv[28] -> Add            after:  x[32] -> Conv[32] -> Add
//            x[24] ++ zeros[4] --^                       x[32] ---------------^
//
// Numbers of channels grow to the next multiple by zero filters and zero biases: the added channels
// are zero, or whatever their readers weigh with zero. Zeros that were appended for a shortcut are
// then the added channels themselves. Where the shortcut needs a further block, the convolution
// that it is added to is split, since adding zeros changes nothing:
//
//   act(Conv(d) + (x ++ 0))  =  act(Conv_first(d) + x) ++ act(Conv_rest(d))
//
// or else a 1x1 convolution with the identity appends the block. What something else sees (ports,
// reshapes, transposes) keeps its channels. Exact: only zeros are added to sums.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_set>

#include "optimize/elementwise_parts.h"
#include "optimize/pad_constants.h"
#include "optimize/padding_cost.h"
#include "optimize/passes/passes.h"

namespace wattwise::optimize {
namespace {

class Padder {
 public:
  Padder(GraphEditor& graph, const model::ShapeTable& shapes, int64_t block)
      : graph_(graph), regions_(graph, shapes, block) {
    const auto costs = padding_costs(regions_, graph, shapes, block);
    for (const ChannelNode& node : regions_.nodes()) {
      const PaddingCost& cost = costs.at(regions_.region(node));
      if (cost.breaks > 0) decide(node, cost, block);
    }
    report_refusals(block);
  }

  /// Returns the nodes that changed.
  int64_t run() {
    int64_t changed = 0;
    for (const ChannelNode& node : regions_.nodes()) {
      if (!accepted_.contains(regions_.region(node))) continue;
      if (regions_.padded(node.output()) != regions_.real(node.output())) {
        changed_values_.insert(node.output());
      }
      changed += enlarge(node) ? 1 : 0;
    }
    for (const ChannelNode& node : regions_.nodes()) {
      if (node.role != ChannelRole::kWiden || !accepted_.contains(regions_.region(node))) continue;
      widen(node);
      ++changed;
    }
    return changed;
  }

  std::vector<Decision> decisions;
  const std::unordered_set<std::string>& changed_values() const { return changed_values_; }

 private:
  void decide(const ChannelNode& node, const PaddingCost& cost, int64_t block);
  void report_refusals(int64_t block);
  bool enlarge(const ChannelNode& node);
  void enlarge_convolution(const ChannelNode& node);
  void widen(const ChannelNode& node);
  bool split(const ChannelNode& node, int64_t narrow);
  std::string add_part(const model::Node& conv, int64_t begin, int64_t end);
  std::string add_copy(const model::Node& like, std::vector<std::string> inputs);
  void append_by_identity(const ChannelNode& node, int64_t narrow, int64_t wide);

  GraphEditor& graph_;
  ChannelRegions regions_;
  std::unordered_set<std::string> accepted_;
  std::unordered_set<std::string> decided_;
  std::unordered_set<std::string> changed_values_;
  int64_t refused_convolutions_ = 0;
};

void Padder::decide(const ChannelNode& node, const PaddingCost& cost, int64_t block) {
  if (!decided_.insert(regions_.region(node)).second) return;
  if (!cost.pays()) {
    refused_convolutions_ += cost.convolutions;
    return;
  }
  accepted_.insert(regions_.region(node));
  decisions.push_back(
      {"pad_channels", fmt::format("{} convolutions from {} on", cost.convolutions, node.output()),
       fmt::format(
           "with multiples of {} channels {} nodes no longer leave the blocked layout: {:.0f} "
           "% less work by estimate, weights grow by {:.1f} kB",
           block, cost.breaks, 100 * (1 - cost.work_after / cost.work_before),
           static_cast<double>(cost.added_weights) * sizeof(float) / 1e3)});
}

void Padder::report_refusals(int64_t block) {
  if (refused_convolutions_ == 0) return;
  decisions.push_back(
      {"refuse", fmt::format("pad_channels for {} convolutions", refused_convolutions_),
       fmt::format(
           "multiples of {} channels would add more work, or more weights, than the blocked "
           "layout saves",
           block)});
}

bool Padder::enlarge(const ChannelNode& node) {
  if (node.role == ChannelRole::kWiden) return false;
  const bool same_in = regions_.padded(node.data[0]) == regions_.real(node.data[0]);
  const bool same_out = regions_.padded(node.output()) == regions_.real(node.output());
  if (same_in && same_out) return false;
  if (node.role == ChannelRole::kConv || node.role == ChannelRole::kDepthwise) {
    enlarge_convolution(node);
    return true;
  }
  for (const size_t slot : node.per_channel) {
    std::vector<int64_t> shape = graph_.constant(node.node->inputs[slot])->shape;
    shape[shape.size() - 3] = regions_.padded(node.output());
    graph_.set_input(*node.node, slot, pad_constant(graph_, node.node->inputs[slot], shape));
  }
  return !node.per_channel.empty();
}

void Padder::enlarge_convolution(const ChannelNode& node) {
  model::Node& conv = *node.node;
  const int64_t out = regions_.padded(node.output());
  std::vector<int64_t> shape = graph_.constant(conv.inputs[1])->shape;
  shape[0] = out;
  if (node.role == ChannelRole::kConv) {
    shape[1] = regions_.padded(node.data[0]);
  } else {
    conv.set_attribute("group", out);
  }
  graph_.set_input(conv, 1, pad_constant(graph_, conv.inputs[1], shape));
  if (conv.inputs.size() > 2 && !conv.inputs[2].empty()) {
    graph_.set_input(conv, 2, pad_constant(graph_, conv.inputs[2], {out}));
  }
}

void Padder::widen(const ChannelNode& node) {
  const int64_t narrow = regions_.padded(node.data[0]);
  const int64_t wide = regions_.padded(node.output());
  if (narrow == wide) {
    graph_.replace_uses(node.output(), node.node->inputs[0]);
    graph_.remove(*node.node);
  } else if (!split(node, narrow)) {
    append_by_identity(node, narrow, wide);
  }
}

constexpr std::array<std::string_view, 8> kActivations = {
    "Relu", "LeakyRelu", "Tanh", "Sigmoid", "HardSigmoid", "HardSwish", "Elu", "Clip"};

std::string Padder::add_copy(const model::Node& like, std::vector<std::string> inputs) {
  model::Node node = like;
  std::string output = graph_.unique(like.outputs[0] + "_part");
  node.name = output;
  node.inputs = std::move(inputs);
  node.outputs = {output};
  graph_.add(std::move(node));
  return output;
}

std::string Padder::add_part(const model::Node& conv, int64_t begin, int64_t end) {
  std::vector<std::string> inputs = conv.inputs;
  for (size_t slot = 1; slot < inputs.size(); ++slot) {
    if (!inputs[slot].empty()) inputs[slot] = slice_constant(graph_, inputs[slot], begin, end);
  }
  return add_copy(conv, std::move(inputs));
}

bool Padder::split(const ChannelNode& node, int64_t narrow) {
  model::Node* sum = only_reader(graph_, node.output());
  if (!sum || !sum->is("Add")) return false;
  const std::string other = sum->inputs[sum->inputs[0] == node.output() ? 1 : 0];
  model::Node* conv = graph_.producer_if(other, "Conv");
  if (!conv || conv->int_or("group", 1) != 1 || graph_.uses(other) != 1) return false;
  model::Node* reader = only_reader(graph_, sum->outputs[0]);
  model::Node* act = reader && reader->is_one_of(kActivations) ? reader : nullptr;

  std::string first = add_part(*conv, 0, narrow);
  std::string rest = add_part(*conv, narrow, regions_.padded(node.output()));
  first = add_copy(*sum, {first, node.node->inputs[0]});
  if (act) {
    std::vector<std::string> inputs = act->inputs;
    inputs[0] = first;
    first = add_copy(*act, inputs);
    inputs[0] = rest;
    rest = add_copy(*act, inputs);
  }
  const std::string output = act ? act->outputs[0] : sum->outputs[0];
  for (model::Node* old : {act, sum, conv, node.node}) {
    if (old) graph_.remove(*old);
  }
  model::Node joined = make_node("Concat", {first, rest}, output);
  joined.set_attribute("axis", int64_t{1});
  graph_.add(std::move(joined));
  return true;
}

void Padder::append_by_identity(const ChannelNode& node, int64_t narrow, int64_t wide) {
  std::vector<float> identity(static_cast<size_t>(narrow * wide));
  for (int64_t i = 0; i < narrow; ++i) identity[static_cast<size_t>(i * narrow + i)] = 1;
  const model::Constant weight = model::make_float_constant("", {wide, narrow, 1, 1}, identity);
  const std::string input = node.node->inputs[0];
  const std::string output = node.output();
  graph_.remove(*node.node);
  graph_.add(make_node("Conv", {input, graph_.add_constant(output + "_identity", weight.tensor())},
                       output));
}

}  // namespace

Result<PassOutcome> pad_channels(model::Model& model, const PassContext& context) {
  const int64_t block = context.target().channel_block;
  // Before opset 7 sums broadcast by attributes.
  if (block < 2 || model.opset("") < 7) return PassOutcome();
  const model::ShapeTable& shapes = *WATTWISE_TRY(context.shapes(model));
  PassOutcome outcome;
  std::unordered_set<std::string> changed_values;
  ModelEditor& editor = context.open(model);
  for (GraphEditor& graph : editor.graphs()) {
    Padder padder(graph, shapes, block);
    outcome.changed += padder.run();
    changed_values.insert(padder.changed_values().begin(), padder.changed_values().end());
    for (Decision& decision : padder.decisions) outcome.decisions.push_back(std::move(decision));
  }
  WATTWISE_TRY(editor.finish());
  drop_value_info(model, changed_values);
  return outcome;
}

}  // namespace wattwise::optimize
