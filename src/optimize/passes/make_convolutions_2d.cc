// SPDX-License-Identifier: Apache-2.0
// Convolutions over a line are ones over a plane of one row, for which the provider has a blocked
// layout.
//
//   before:  x[N,C,L] -> Conv w[O,C,k] -> Relu -> y[N,O,L]
//   after:   x -> Unsqueeze -> [N,C,1,L] -> Conv w[O,C,1,k] -> Relu -> Squeeze -> y
//
// Exact: the same products are added, in another order. Whole regions change at once: convolutions,
// pooling, and what is done element by element or joins channels in between. Reshapes at their
// borders merge with those that are there. Measured on 64 channels in three convolutions of three
// places: 1.9 times as fast on lines of 4 places, 1.3 times on lines of 512.
// Left alone: regions whose convolutions would gain less than the reshapes cost, and targets
// without such a layout.
#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "optimize/affine.h"
#include "optimize/channel_regions.h"
#include "optimize/line_nodes.h"
#include "optimize/passes/passes.h"
#include "optimize/rewrite_graphs.h"

namespace wattwise::optimize {
namespace {

/// First opset whose Unsqueeze takes its axes as an input.
constexpr int64_t kAxesInput = 13;
constexpr int64_t kRowAxis = 2;
/// A node more costs about what the blocked layout saves for a convolution of this many weights.
constexpr int64_t kNodeCost = 6000;

bool only_reshapes(const model::Node* node) {
  constexpr auto kOps =
      std::to_array<std::string_view>({"Reshape", "Squeeze", "Unsqueeze", "Flatten"});
  return node && node->is_one_of(kOps);
}

class Raising {
 public:
  Raising(GraphEditor& graph, const model::ShapeTable& shapes, const PassContext& context)
      : graph_(graph) {
    for (model::Node* node : graph.nodes()) {
      auto line = line_node(graph, shapes, *node, context.target().channel_block);
      if (line) lines_.push_back(std::move(*line));
    }
    for (const LineNode& line : lines_) {
      made_.insert(line.output());
      for (const size_t slot : line.data) {
        const std::string& value = line.node->inputs[slot];
        regions_.unite(value, line.output());
        ++reads_[value];
      }
    }
    weigh();
  }

  int64_t run(int64_t opset);

 private:
  void weigh();
  int64_t way_out_cost(const std::string& value) const;
  bool pays(const LineNode& line) { return balance_[regions_.find(line.output())] > 0; }
  const std::string& plane_of(const std::string& value);
  void raise(const LineNode& line);
  void reshape(const char* op, const std::string& from, const std::string& to);

  GraphEditor& graph_;
  std::vector<LineNode> lines_;
  NameSets regions_;
  std::unordered_set<std::string> made_;              // by a node over lines
  std::unordered_map<std::string, int> reads_;        // by nodes over lines
  std::unordered_map<std::string, int64_t> balance_;  // by region: gains less costs
  std::unordered_map<std::string, std::string> planes_;
  std::unordered_set<std::string> leaving_;  // made in a region, read outside
  bool axes_are_input_ = true;
};

int64_t Raising::way_out_cost(const std::string& value) const {
  if (!leaving_.contains(value)) return 0;
  const auto readers = graph_.readers(value);
  const bool one = graph_.uses(value) == 1 && readers.size() == 1;
  return one && only_reshapes(readers[0]) ? 0 : kNodeCost;
}

void Raising::weigh() {
  std::unordered_set<std::string> entered;
  for (const LineNode& line : lines_) {
    if (graph_.uses(line.output()) > reads_[line.output()]) leaving_.insert(line.output());
    int64_t& balance = balance_[regions_.find(line.output())];
    balance += line.gain - way_out_cost(line.output());
    // Out of the blocked layout and back.
    if (!line.stays_blocked) balance -= kNodeCost;
    for (const size_t slot : line.data) {
      const std::string& value = line.node->inputs[slot];
      if (made_.contains(value) || !entered.insert(value).second) continue;
      const bool merges = graph_.uses(value) == 1 && only_reshapes(graph_.producer(value));
      if (!merges) balance -= kNodeCost;
    }
  }
}

void Raising::reshape(const char* op, const std::string& from, const std::string& to) {
  constexpr std::array kAxes = {kRowAxis};
  model::Node node = make_node(op, {from}, to);
  if (axes_are_input_) {
    const model::Constant axes = model::make_int64_constant("", {1}, kAxes);
    node.inputs.push_back(graph_.add_constant(to + "_row_axis", axes.tensor()));
  } else {
    node.set_attribute("axes", std::vector<int64_t>(kAxes.begin(), kAxes.end()));
  }
  graph_.add(std::move(node));
}

/// The name of the value as a plane; a line from elsewhere becomes one.
const std::string& Raising::plane_of(const std::string& value) {
  const auto [it, is_new] = planes_.try_emplace(value);
  if (!is_new) return it->second;
  it->second = graph_.unique(value + "_plane");
  if (!made_.contains(value)) reshape("Unsqueeze", value, it->second);
  return it->second;
}

void Raising::raise(const LineNode& line) {
  const std::string output = line.output();
  std::vector<std::string> inputs = line.node->inputs;
  for (const size_t slot : line.data) inputs[slot] = plane_of(inputs[slot]);
  graph_.set_inputs(*line.node, std::move(inputs));
  graph_.set_outputs(*line.node, {plane_of(output)});
  add_row_axis(graph_, line);
  if (leaving_.contains(output)) reshape("Squeeze", plane_of(output), output);
}

int64_t Raising::run(int64_t opset) {
  axes_are_input_ = opset >= kAxesInput;
  int64_t changed = 0;
  for (const LineNode& line : lines_) {
    if (!pays(line)) continue;
    raise(line);
    ++changed;
  }
  return changed;
}

}  // namespace

Result<PassOutcome> make_convolutions_2d(model::Model& model, const PassContext& context) {
  const int64_t opset = model.opset("");
  if (context.target().channel_block < 2 || opset < kFirstBroadcastingOpset) return PassOutcome();
  return rewrite_graphs(model, context, [&](GraphEditor& graph, const model::ShapeTable& shapes) {
    return Raising(graph, shapes, context).run(opset);
  });
}

}  // namespace wattwise::optimize
