// SPDX-License-Identifier: Apache-2.0
// Attention whose batch is the second axis needs no Transpose to part its heads.
//
//   before:  x [batch, n, width] -> MatMul, Reshape [batch, n, heads, d],
//            Transpose [batch, heads, n, d] -> MatMul
//   after:   x -> Transpose [n, batch, width], once -> MatMul, Reshape [n, batch, heads, d],
//            Transpose [batch, heads, n, d] -> MatMul, of which ONNX Runtime makes one product that
//            reads the heads where they lie
//
// Everything in between, from the embedding to the last layer, works on the last axis or on single
// elements and does not care which of the first two axes is which. Transposes at the border of that
// region are counted against those that the runtime takes into products (its FusedMatMul takes
// `perm` 1 2 .. 0 r and 1 2 .. r 0 in); the change is made only if fewer are left. Exact: every
// element is computed as before, products perhaps in another order.
#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>

#include "optimize/bypass.h"
#include "optimize/passage.h"
#include "optimize/passes/passes.h"
#include "optimize/shape_facts.h"

namespace wattwise::optimize {
namespace {

/// Before, Softmax took all axes from the second on together where it named none.
constexpr int64_t kSoftmaxOfOneAxis = 13;

/// Transposes that must be saved for the change to be worth it.
constexpr int64_t kLeastSaved = 2;

/// Exchanges the first two axes.
Permutation exchange(size_t rank) {
  Permutation axes(rank);
  for (size_t i = 0; i < rank; ++i) axes[i] = static_cast<int64_t>(i);
  std::swap(axes[0], axes[1]);
  return axes;
}

/// Whether ONNX Runtime's MatMul reads through it: the first axis goes to the end or before it.
bool is_taken_into_products(const Permutation& axes) {
  const size_t rank = axes.size();
  if (rank < 3) return false;
  for (size_t i = 0; i + 2 < rank; ++i) {
    if (axes[i] != static_cast<int64_t>(i) + 1) return false;
  }
  return axes[rank - 2] == 0 || axes[rank - 1] == 0;
}

/// Whether the constant, broadcast against values of that rank, differs along the first two axes.
bool tells_first_axes_apart(const model::Constant* constant, size_t to_rank) {
  if (!constant || constant->shape.size() + 1 < to_rank) return false;
  const auto& shape = constant->shape;
  const auto end = shape.begin() + static_cast<ptrdiff_t>(shape.size() + 2 - to_rank);
  return std::any_of(shape.begin(), end, [](int64_t size) { return size != 1; });
}

class Exchange {
 public:
  Exchange(GraphEditor& graph, const ShapeFacts& facts, int64_t opset)
      : graph_(graph), facts_(facts), opset_(opset), nodes_(graph.nodes()) {}

  /// Collects; false if Transposes would not become fewer.
  bool is_worth_it();
  /// Rewrites. Names of values whose axes have changed are added to `changed`.
  void apply(std::unordered_set<std::string>& changed);

 private:
  size_t rank(const std::string& value) const {
    return static_cast<size_t>(facts_.rank(value).value_or(0));
  }
  bool feeds_products_only(const std::string& value) const;
  bool splits_heads(const model::Node& node) const;
  bool joins_heads(const model::Node& node) const;
  std::string start_of(std::string value) const;
  bool keeps_first_axes(const model::Node& reshape) const;
  bool works_on_last_axis(const model::Node& node) const;
  bool join_members(model::Node& node);
  bool can_enter(const std::string& value, size_t to_rank) const;
  void find_borders();
  std::string renamed(const std::string& value);
  void adapt(model::Node& node);

  GraphEditor& graph_;
  const ShapeFacts& facts_;
  int64_t opset_;
  std::vector<model::Node*> nodes_;
  std::set<std::string> exchanged_;      ///< values whose first two axes change places
  std::vector<model::Node*> members_;    ///< read such values, and make such
  std::vector<model::Node*> joins_;      ///< Transposes that make such values of others
  std::vector<model::Node*> absorbing_;  ///< Transposes that make others of them
  std::set<const model::Node*> inside_;  ///< all three
  std::set<std::string> entries_;        ///< made outside
  std::vector<std::string> exits_;       ///< read outside, too
  std::map<std::string, std::string> names_;
};

bool Exchange::feeds_products_only(const std::string& value) const {
  const auto readers = graph_.readers(value);
  return !readers.empty() && !graph_.is_output(value) &&
         std::all_of(readers.begin(), readers.end(),
                     [](const model::Node* reader) { return reader->is("MatMul"); });
}

/// [batch, n, heads, d] to [batch, heads, n, d] or [batch, heads, d, n], for products.
bool Exchange::splits_heads(const model::Node& node) const {
  const auto axes = permutation_of(node);
  const bool parts = axes && (*axes == Permutation{0, 2, 1, 3} || *axes == Permutation{0, 2, 3, 1});
  return parts && graph_.producer_if(node.inputs[0], "Reshape") &&
         feeds_products_only(node.outputs[0]);
}

/// The way back: of a product, to be one row of all heads.
bool Exchange::joins_heads(const model::Node& node) const {
  const auto readers = graph_.readers(node.outputs[0]);
  return permutation_of(node) == Permutation{0, 2, 1, 3} &&
         graph_.producer_if(node.inputs[0], "MatMul") && readers.size() == 1 &&
         readers[0]->is("Reshape") && keeps_first_axes(*readers[0]);
}

/// What is multiplied first of all that becomes this value, by way of constants alone. Further back
/// stand the last steps of a normalization, which the runtime knows as a whole.
std::string Exchange::start_of(std::string value) const {
  std::string start = value;
  while (const model::Node* node = graph_.producer(value)) {
    if (!works_on_last_axis(*node)) break;
    std::string data;
    int count = 0;
    for (const std::string& input : node->inputs) {
      if (input.empty() || graph_.constant(input)) continue;
      data = input;
      ++count;
    }
    if (count != 1) break;
    value = data;
    if (node->is("MatMul")) start = value;
  }
  return start;
}

/// Whether a Reshape parts or joins later axes only, by a constant target.
bool Exchange::keeps_first_axes(const model::Node& reshape) const {
  const auto* from = facts_.shape(reshape.inputs[0]);
  const auto target = integers_at(graph_, reshape, 1);
  if (!from || from->size() < 3 || !target || target->size() < 3) return false;
  if (reshape.int_or("allowzero", 0) != 0) return false;
  const auto product = [](const std::vector<int64_t>& sizes) {
    int64_t all = 1;
    for (size_t i = 2; i < sizes.size(); ++i) all *= sizes[i] > 0 ? sizes[i] : 0;
    return all;
  };
  if (product(*from) == 0 || product(*from) != product(*target)) return false;
  int open = 0;
  for (size_t i = 0; i < 2; ++i) {
    if ((*target)[i] == 0 || ((*target)[i] > 0 && (*target)[i] == (*from)[i])) continue;
    if ((*target)[i] != -1) return false;
    ++open;
  }
  return open <= 1;
}

/// Nodes to which the first two axes are alike, as far as this can be told without their operands.
bool Exchange::works_on_last_axis(const model::Node& node) const {
  if (node.outputs.size() != 1 || node.inputs.empty()) return false;
  const size_t data_rank = rank(node.outputs[0]);
  if (data_rank < 3) return false;
  const auto last = static_cast<int64_t>(data_rank) - 1;
  if (node.is("MatMul")) {
    const model::Constant* matrix = graph_.constant(node.inputs[1]);
    // Products of halves take no Transpose in.
    return matrix && matrix->shape.size() == 2 &&
           (matrix->type == DataType::kFloat || matrix->type == DataType::kDouble);
  }
  if (node.is("Reshape")) return keeps_first_axes(node);
  if (node.is("LayerNormalization")) {
    return from_start(node.int_or("axis", -1), last + 1) == last &&
           std::all_of(node.inputs.begin() + 1, node.inputs.end(), [&](const std::string& value) {
             const model::Constant* constant = graph_.constant(value);
             return value.empty() || (constant && !tells_first_axes_apart(constant, data_rank));
           });
  }
  if (node.is("Softmax")) {
    const int64_t unnamed = opset_ < kSoftmaxOfOneAxis ? 1 : -1;
    return from_start(node.int_or("axis", unnamed), last + 1) == last;
  }
  if (node.is("ReduceMean")) {
    const auto axes = integers_of(graph_, node, "axes", 1);
    return axes && axes->size() == 1 && from_start(axes->front(), last + 1) == last &&
           node.int_or("keepdims", 1) != 0;
  }
  constexpr auto kMoving =
      std::to_array<std::string_view>({"Concat", "Slice", "Pad", "Split", "Squeeze", "ReduceSum",
                                       "ReduceMax", "ReduceMin", "ReduceL2", "LogSoftmax"});
  return !node.is_one_of(kMoving) && passage(graph_, node, 0, exchange(data_rank)).has_value();
}

bool Exchange::can_enter(const std::string& value, size_t to_rank) const {
  if (const model::Constant* constant = graph_.constant(value)) {
    return can_permute(*constant, exchange(to_rank));
  }
  return rank(value) == to_rank;
}

/// Takes the node in if what it reads is exchanged, or can be.
bool Exchange::join_members(model::Node& node) {
  const auto is_exchanged = [&](const std::string& value) { return exchanged_.contains(value); };
  if (!std::any_of(node.inputs.begin(), node.inputs.end(), is_exchanged)) return false;
  if (node.is("Transpose")) {
    if (!permutation_of(node)) return false;
    absorbing_.push_back(&node);
    return true;
  }
  if (!works_on_last_axis(node)) return false;
  const bool is_elementwise = passage(graph_, node, 1, exchange(3)).has_value();
  if (!is_elementwise) {
    if (!is_exchanged(node.inputs[0])) return false;
  } else {
    const size_t to_rank = rank(node.outputs[0]);
    for (const std::string& input : node.inputs) {
      if (is_exchanged(input) ? rank(input) != to_rank : !can_enter(input, to_rank)) return false;
    }
    for (const std::string& input : node.inputs) {
      if (!graph_.constant(input)) exchanged_.insert(input);
    }
  }
  members_.push_back(&node);
  exchanged_.insert(node.outputs[0]);
  return true;
}

/// Which exchanged values come from outside of the region, and which are read there.
void Exchange::find_borders() {
  std::set<std::string> made;
  for (const auto* nodes : {&members_, &joins_}) {
    for (const model::Node* node : *nodes) made.insert(node->outputs[0]);
  }
  for (const std::string& value : exchanged_) {
    if (!made.contains(value)) {
      entries_.insert(value);
      continue;
    }
    const auto readers = graph_.readers(value);
    int known = 0;
    for (const model::Node* reader : readers) {
      if (!inside_.contains(reader)) continue;
      known += static_cast<int>(std::count(reader->inputs.begin(), reader->inputs.end(), value));
    }
    if (graph_.uses(value) != known) exits_.push_back(value);
  }
}

bool Exchange::is_worth_it() {
  for (model::Node* node : nodes_) {
    if (!node->is("Transpose")) continue;
    if (splits_heads(*node)) {
      const model::Node* reshape = graph_.producer_if(node->inputs[0], "Reshape");
      // More may be known in the next round: a part now would part the rest from it.
      if (!facts_.rank(reshape->inputs[0])) return false;
      if (!keeps_first_axes(*reshape)) continue;
      exchanged_.insert(start_of(reshape->inputs[0]));
    } else if (joins_heads(*node)) {
      joins_.push_back(node);
      exchanged_.insert(node->outputs[0]);
    }
  }
  if (exchanged_.empty()) return false;
  inside_.insert(joins_.begin(), joins_.end());
  for (model::Node* node : nodes_) {
    if (!inside_.contains(node) && join_members(*node)) inside_.insert(node);
  }
  const auto reads_exchanged = [&](const model::Node* join) {
    return exchanged_.contains(join->inputs[0]);
  };
  if (std::any_of(joins_.begin(), joins_.end(), reads_exchanged)) return false;
  find_borders();
  int64_t saved = -static_cast<int64_t>(entries_.size() + exits_.size());
  for (const model::Node* transpose : absorbing_) {
    const Permutation before = *permutation_of(*transpose);
    const Permutation after = compose(exchange(before.size()), before);
    const auto* sizes = facts_.shape(transpose->inputs[0]);
    if (sizes && sizes->size() == 4 && (*sizes)[2] == 1) continue;  // one head lies as it should
    if (feeds_products_only(transpose->outputs[0]) && is_taken_into_products(after)) ++saved;
  }
  return saved >= kLeastSaved;
}

/// Under which name the region knows the value.
std::string Exchange::renamed(const std::string& value) {
  const auto it = names_.find(value);
  return it == names_.end() ? value : it->second;
}

void Exchange::adapt(model::Node& node) {
  std::vector<std::string> inputs = node.inputs;
  const bool is_elementwise = passage(graph_, node, 1, exchange(3)).has_value();
  const size_t to_rank = rank(node.outputs[0]);
  for (std::string& input : inputs) {
    if (exchanged_.contains(input)) {
      input = renamed(input);
    } else if (is_elementwise && tells_first_axes_apart(graph_.constant(input), to_rank)) {
      input = *permute_constant(graph_, input, exchange(to_rank));
    }
  }
  if (node.is("Reshape")) {
    std::vector<int64_t> target = *integers_at(graph_, node, 1);
    std::swap(target[0], target[1]);
    const auto count = static_cast<int64_t>(target.size());
    if (target[0] != target[1]) {
      inputs[1] =
          graph_.add_constant(node.inputs[1] + "_exchanged", make_int64_tensor({count}, target));
    }
  }
  graph_.set_inputs(node, std::move(inputs));
  graph_.set_outputs(node, {renamed(node.outputs[0])});
}

void Exchange::apply(std::unordered_set<std::string>& changed) {
  const auto add = [&](const std::string& from, const std::string& to, size_t axes) {
    model::Node transpose = make_node("Transpose", {from}, to);
    transpose.set_attribute("perm", exchange(axes));
    graph_.add(std::move(transpose));
  };
  for (const std::string& value : entries_) names_[value] = graph_.unique(value + "_exchanged");
  for (const std::string& value : exits_) names_[value] = graph_.unique(value + "_exchanged");
  for (const std::string& value : exchanged_) {
    if (!entries_.contains(value)) changed.insert(value);
  }
  for (model::Node* node : absorbing_) {
    const Permutation axes = *permutation_of(*node);
    node->set_attribute("perm", compose(exchange(axes.size()), axes));
    graph_.set_input(*node, 0, renamed(node->inputs[0]));
  }
  for (model::Node* node : joins_) {
    const Permutation axes = *permutation_of(*node);
    node->set_attribute("perm", compose(axes, exchange(axes.size())));
    graph_.set_outputs(*node, {renamed(node->outputs[0])});
  }
  for (model::Node* node : members_) adapt(*node);
  for (const std::string& value : entries_) add(value, names_.at(value), rank(value));
  for (const std::string& value : exits_) add(names_.at(value), value, rank(value));
}

}  // namespace

Result<PassOutcome> put_sequence_first(model::Model& model, const PassContext& context) {
  const auto is_transpose = [](const model::Node& node) { return node.is("Transpose"); };
  // Before opset 7 operands broadcast by attributes.
  if (model.opset("") < 7 || !any_node(model, is_transpose)) return PassOutcome();
  const model::ShapeTable& shapes = *WATTWISE_TRY(context.shapes(model));
  const ShapeFacts facts(shapes);
  PassOutcome outcome;
  std::unordered_set<std::string> changed;
  ModelEditor& editor = context.open(model);
  for (GraphEditor& graph : editor.graphs()) {
    Exchange region(graph, facts, model.opset(""));
    if (!region.is_worth_it()) continue;
    region.apply(changed);
    ++outcome.changed;
  }
  WATTWISE_TRY(editor.finish());
  drop_value_info(model, changed);
  return outcome;
}

}  // namespace wattwise::optimize
