// SPDX-License-Identifier: Apache-2.0
#include "optimize/unroll_loop.h"

#include <algorithm>
#include <array>
#include <utility>

#include "model/graph_edit.h"
#include "model/save.h"
#include "optimize/graph_editor.h"

namespace wattwise::optimize {
namespace {

using Nodes = std::vector<model::Node>;

/// Longer ones are not even tried out.
constexpr int64_t kMostRuns = 16;
/// First operator set whose Unsqueeze takes its axes as an input.
constexpr int64_t kFirstOpsetWithAxesInput = 13;

/// How often it runs; absent if that is not known.
std::optional<int64_t> count_runs(const LoopFacts& facts) {
  if ((facts.condition && !*facts.condition) || (facts.limit && *facts.limit <= 0)) return 0;
  if (!facts.condition) return std::nullopt;
  const bool runs_at_all = facts.limit || !facts.is_limited;
  if (runs_at_all && facts.goes_on && !*facts.goes_on) return 1;
  if (!facts.limit) return std::nullopt;
  const bool to_the_end = *facts.limit == 1 || (facts.goes_on && *facts.goes_on);
  return to_the_end ? facts.limit : std::nullopt;
}

/// Bytes in a file; constants that stand there anyway left out.
uint64_t size_of(const Nodes& nodes, bool with_constants) {
  model::Model model;
  std::copy_if(nodes.begin(), nodes.end(), std::back_inserter(model.graph.nodes),
               [&](const model::Node& node) { return with_constants || !node.is("Constant"); });
  return model::serialized_size(model);
}

class Unrolling {
 public:
  Unrolling(const model::Node& node, const model::Graph& body, const LoopFacts& facts,
            Inliner& inliner)
      : node_(node),
        body_(body),
        facts_(facts),
        inliner_(inliner),
        carried_(node.inputs.size() - 2),
        values_(node.inputs.begin() + 2, node.inputs.end()) {}

  /// Whether each run's values can be stacked, also where there is no run.
  bool can_stack(int64_t runs) const {
    if (runs > 0) return true;
    for (size_t i = carried_; i < node_.outputs.size(); ++i) {
      if (is_read(i) && !empty_stack(i)) return false;
    }
    return true;
  }

  Nodes unroll(int64_t runs) {
    stacks_.resize(node_.outputs.size());
    for (int64_t run = 0; run < runs; ++run) add_run(run, run + 1 == runs);
    if (runs == 0) copy_values();
    for (size_t i = carried_; i < node_.outputs.size(); ++i) {
      if (is_read(i)) stack(i);
    }
    return std::move(nodes_);
  }

  /// Bytes of what unroll() made.
  uint64_t size() const { return size_; }

 private:
  bool is_read(size_t output) const {
    return !node_.outputs[output].empty() && facts_.is_read(node_.outputs[output]);
  }

  void add_run(int64_t run, bool last) {
    GraphEnds ends{{add_counter(body_.inputs[0], run), add_true(body_.inputs[1])}, {""}};
    ends.inputs.insert(ends.inputs.end(), values_.begin(), values_.end());
    for (size_t i = 0; i < carried_; ++i) {
      std::string name = last && i < node_.outputs.size() ? node_.outputs[i] : "";
      if (!last) name = inliner_.unique(body_.outputs[i + 1].name);
      ends.outputs.push_back(name);
      values_[i] = name;
    }
    for (size_t i = carried_; i < node_.outputs.size(); ++i) {
      std::string item = is_read(i) ? inliner_.unique(node_.outputs[i] + "_item") : "";
      if (!item.empty()) stacks_[i].push_back(item);
      ends.outputs.push_back(std::move(item));
    }
    Nodes nodes = inliner_.inline_graph(model::clone(body_), ends);
    size_ += size_of(nodes, run == 0);
    std::move(nodes.begin(), nodes.end(), std::back_inserter(nodes_));
  }

  /// Without a run the values stay as they were.
  void copy_values() {
    for (size_t i = 0; i < std::min(carried_, node_.outputs.size()); ++i) {
      if (node_.outputs[i].empty()) continue;
      nodes_.push_back(make_node("Identity", {values_[i]}, node_.outputs[i]));
    }
  }

  void stack(size_t output) {
    const std::string& name = node_.outputs[output];
    if (stacks_[output].empty()) {
      nodes_.push_back(make_constant_node(*empty_stack(output), name));
      return;
    }
    const bool is_one = stacks_[output].size() == 1;
    Nodes made;
    std::vector<std::string> rows;
    for (const std::string& item : stacks_[output]) {
      rows.push_back(is_one ? name : inliner_.unique(item + "_row"));
      made.push_back(unsqueeze(item, rows.back()));
    }
    if (!is_one) {
      model::Node concat = make_node("Concat", rows, name);
      concat.set_attribute("axis", int64_t{0});
      made.push_back(std::move(concat));
    }
    size_ += size_of(made, true);
    std::move(made.begin(), made.end(), std::back_inserter(nodes_));
  }

  model::Node unsqueeze(const std::string& item, const std::string& row) {
    const std::array<int64_t, 1> axes = {0};
    if (facts_.opset < kFirstOpsetWithAxesInput) {
      model::Node node = make_node("Unsqueeze", {item}, row);
      node.set_attribute("axes", std::vector<int64_t>(axes.begin(), axes.end()));
      return node;
    }
    if (axes_.empty()) {
      axes_ = inliner_.unique(node_.outputs.back() + "_axes");
      nodes_.push_back(make_constant_node(model::make_int64_constant("", {1}, axes), axes_));
    }
    return make_node("Unsqueeze", {item, axes_}, row);
  }

  /// No values of the shape that the body declares; absent if it does not declare one.
  std::optional<model::Constant> empty_stack(size_t output) const {
    const model::Value& item = body_.outputs[output + 1];
    if (!item.shape || item.type == DataType::kUndefined || item.type == DataType::kString) {
      return std::nullopt;
    }
    std::vector<int64_t> shape = {0};
    for (const model::Dimension& dimension : *item.shape) {
      if (!dimension.value) return std::nullopt;
      shape.push_back(*dimension.value);
    }
    return model::make_constant("", Tensor{item.type, std::move(shape), Bytes(), {}});
  }

  /// The runtime hands a list of one to a body that declares a list.
  static std::vector<int64_t> shape_of_scalar(const model::Value& input) {
    return input.shape && input.shape->size() == 1 ? std::vector<int64_t>{1}
                                                   : std::vector<int64_t>{};
  }

  std::string add_counter(const model::Value& input, int64_t value) {
    std::string name = inliner_.unique(input.name);
    nodes_.push_back(make_constant_node(
        model::make_int64_constant("", shape_of_scalar(input), std::span(&value, 1)), name));
    return name;
  }

  std::string add_true(const model::Value& input) {
    constexpr std::array<uint8_t, 1> kTrue = {1};
    std::string name = inliner_.unique(input.name);
    const Tensor tensor{DataType::kBool,
                        shape_of_scalar(input),
                        Bytes::copy_of(std::span<const uint8_t>(kTrue)),
                        {}};
    nodes_.push_back(make_constant_node(model::make_constant("", tensor), name));
    return name;
  }

  const model::Node& node_;
  const model::Graph& body_;
  const LoopFacts& facts_;
  Inliner& inliner_;
  size_t carried_;
  std::vector<std::string> values_;               ///< what the next run carries on
  std::vector<std::vector<std::string>> stacks_;  ///< by output: each run's value
  std::string axes_;
  Nodes nodes_;
  uint64_t size_ = 0;
};

bool is_whole(const model::Node& node, const model::Graph& body) {
  return node.inputs.size() >= 2 && !node.outputs.empty() &&
         body.inputs.size() == node.inputs.size() &&
         body.outputs.size() + 1 >= node.inputs.size() &&
         body.outputs.size() >= node.outputs.size() + 1;
}

}  // namespace

UnrolledLoop unroll_loop(const model::Node& node, const model::Graph& body, const LoopFacts& facts,
                         Inliner& inliner) {
  const auto runs = count_runs(facts);
  if (!runs || !is_whole(node, body)) return {};
  if (*runs > kMostRuns) return {{}, "it runs too often to be spelled out"};
  if (!body.sparse_initializers.empty()) return {{}, "it holds sparse constants"};
  Unrolling unrolling(node, body, facts, inliner);
  if (!unrolling.can_stack(*runs)) {
    return {{}, "it never runs, but stacks values of a shape that is not declared"};
  }
  UnrolledLoop unrolled{unrolling.unroll(*runs), {}};
  if (*runs > 1 && unrolling.size() > size_of({node}, true)) {
    return {{}, "spelled out, its runs would take more bytes"};
  }
  return unrolled;
}

}  // namespace wattwise::optimize
