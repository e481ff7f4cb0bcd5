// SPDX-License-Identifier: Apache-2.0
// Transposes move towards their readers where fewer of them are left in the end.
//
//   before:  x -> Transpose -> Add(k) -> Relu -> Transpose back -> Conv
//   after:   x -> Add(k transposed) -> Relu -> Conv
//
// An elementwise operator does not care for the order of axes, and one that names axes (Concat,
// Softmax, reductions, Squeeze, Slice, Pad, Split) can name others. From each Transpose the nodes
// that it can pass are collected; it ends at an inverse, is merged with another, or is written anew
// where something needs the order of axes. Constants are transposed instead. The change is made
// only if Transposes become fewer. Exact: every element is computed as before, reductions perhaps
// in another order.
#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>

#include "optimize/passage.h"
#include "optimize/passes/passes.h"

namespace wattwise::optimize {
namespace {

/// Before, Softmax flattened all axes from the one that it names on.
constexpr int64_t kFirstOpsetWithSoftmaxAxis = 13;

/// The nodes that one Transpose can pass, with what becomes of it.
class Push {
 public:
  Push(GraphEditor& graph, const model::ShapeTable& shapes, int64_t opset)
      : graph_(graph), shapes_(shapes), opset_(opset) {}

  /// Collects; false if Transposes would not become fewer.
  bool start(model::Node& transpose, const std::vector<model::Node*>& nodes);
  /// Rewrites. Names of values whose axes have changed are added to `changed`.
  void apply(std::unordered_set<std::string>& changed);

 private:
  struct Member {
    model::Node* node;
    Permutation permutation;
    std::vector<size_t> data;
  };

  void add_source(model::Node& transpose);
  void visit(model::Node& node);
  bool accept(const model::Node& node, const Passage& way, const Permutation& permutation);
  bool can_enter(const std::string& value, const Permutation& permutation) const;
  double gain() const;
  bool has_other_readers(const std::string& value) const;
  std::string entry(const std::string& value, const Permutation& permutation);
  void rewrite(Member& member);
  void merge(model::Node& transpose);
  std::string core(const std::string& value) const {
    const auto it = cores_.find(value);
    return it == cores_.end() ? value : it->second;
  }

  GraphEditor& graph_;
  const model::ShapeTable& shapes_;
  int64_t opset_;
  std::map<std::string, Permutation> permuted_;  ///< value = Transpose(its core, permutation)
  std::map<std::string, std::string> cores_;     ///< where the core is not called like the value
  std::map<std::string, int> reads_;             ///< by members and merged Transposes
  std::vector<Member> members_;
  std::vector<model::Node*> sources_;
  std::vector<model::Node*> merged_;
  std::set<std::string> entries_;
  std::map<std::string, std::string> entered_;
  double cost_ = 0;
};

void Push::add_source(model::Node& transpose) {
  permuted_[transpose.outputs[0]] = *permutation_of(transpose);
  cores_[transpose.outputs[0]] = transpose.inputs[0];
  sources_.push_back(&transpose);
}

bool Push::can_enter(const std::string& value, const Permutation& permutation) const {
  if (const model::Constant* constant = graph_.constant(value)) {
    return can_permute(*constant, permutation);
  }
  const auto it = shapes_.find(value);
  return it != shapes_.end() && it->second.shape.size() == permutation.size();
}

/// The inputs of a node that may join: permuted alike, or able to be.
bool Push::accept(const model::Node& node, const Passage& way, const Permutation& permutation) {
  std::vector<model::Node*> sources;
  std::vector<std::string> entries;
  for (const size_t slot : way.data) {
    const std::string& value = node.inputs[slot];
    if (value.empty()) return false;
    if (const auto it = permuted_.find(value); it != permuted_.end()) {
      if (it->second != permutation) return false;
      continue;
    }
    model::Node* transpose = graph_.producer_if(value, "Transpose");
    if (transpose && permuted_.contains(transpose->inputs[0])) return false;  // merged already
    if (transpose && permutation_of(*transpose) == permutation) {
      sources.push_back(transpose);
    } else if (!can_enter(value, permutation)) {
      return false;
    } else if (const model::Constant* constant = graph_.constant(value)) {
      if (node.is("Concat") && constant->shape.size() != permutation.size()) return false;
    } else {
      entries.push_back(value);
    }
  }
  for (model::Node* source : sources) {
    if (!permuted_.contains(source->outputs[0])) add_source(*source);
  }
  entries_.insert(entries.begin(), entries.end());
  return true;
}

void Push::visit(model::Node& node) {
  for (size_t slot = 0; slot < node.inputs.size(); ++slot) {
    const auto it = permuted_.find(node.inputs[slot]);
    if (it == permuted_.end() || cores_.contains(node.outputs[0])) continue;
    if (node.is("Transpose")) {
      if (!permutation_of(node)) return;
      merged_.push_back(&node);
      ++reads_[node.inputs[0]];
      return;
    }
    const bool flattens = node.is("Softmax") || node.is("LogSoftmax");
    if (flattens && opset_ < kFirstOpsetWithSoftmaxAxis) return;
    const Permutation permutation = it->second;
    const auto way = passage(graph_, node, slot, permutation);
    if (!way || !accept(node, *way, permutation)) return;
    members_.push_back({&node, permutation, way->data});
    cost_ += way->cost;
    for (const size_t data : way->data) ++reads_[node.inputs[data]];
    for (const std::string& output : node.outputs) {
      if (!output.empty()) permuted_[output] = way->output;
    }
    return;
  }
}

bool Push::has_other_readers(const std::string& value) const {
  const auto it = reads_.find(value);
  return graph_.uses(value) != (it == reads_.end() ? 0 : it->second);
}

/// By how many there are fewer Transposes.
double Push::gain() const {
  double gain = -cost_ - static_cast<double>(entries_.size());
  for (const model::Node* source : sources_) {
    if (!has_other_readers(source->outputs[0])) ++gain;
  }
  for (const model::Node* transpose : merged_) {
    const Permutation whole =
        compose(permuted_.at(transpose->inputs[0]), *permutation_of(*transpose));
    if (is_identity(whole)) ++gain;
  }
  for (const Member& member : members_) {
    for (const std::string& output : member.node->outputs) {
      if (output.empty() || is_identity(permuted_.at(output))) continue;
      if (has_other_readers(output)) --gain;
    }
  }
  return gain;
}

bool Push::start(model::Node& transpose, const std::vector<model::Node*>& nodes) {
  add_source(transpose);
  for (model::Node* node : nodes) {
    if (node != &transpose) visit(*node);
  }
  return (!members_.empty() || !merged_.empty()) && gain() > 0;
}

std::string Push::entry(const std::string& value, const Permutation& permutation) {
  if (graph_.constant(value)) return *permute_constant(graph_, value, inverse(permutation));
  const auto [it, added] = entered_.try_emplace(value);
  if (added) {
    it->second = graph_.unique(value + "_transposed");
    model::Node transpose = make_node("Transpose", {value}, it->second);
    transpose.set_attribute("perm", inverse(permutation));
    graph_.add(std::move(transpose));
  }
  return it->second;
}

void Push::rewrite(Member& member) {
  model::Node& node = *member.node;
  adapt_axes(graph_, node, member.permutation);
  std::vector<std::string> inputs = node.inputs;
  for (const size_t slot : member.data) {
    inputs[slot] = permuted_.contains(inputs[slot]) ? core(inputs[slot])
                                                    : entry(inputs[slot], member.permutation);
  }
  graph_.set_inputs(node, std::move(inputs));
  std::vector<std::string> outputs = node.outputs;
  for (std::string& output : outputs) output = core(output);
  graph_.set_outputs(node, std::move(outputs));
}

void Push::merge(model::Node& transpose) {
  const std::string value = transpose.inputs[0];
  const Permutation whole = compose(permuted_.at(value), *permutation_of(transpose));
  const std::string output = transpose.outputs[0];
  if (is_identity(whole) && !graph_.is_output(output)) {
    graph_.replace_uses(output, core(value));
    graph_.remove(transpose);
    return;
  }
  transpose.set_attribute("perm", whole);
  graph_.set_input(transpose, 0, core(value));
}

void Push::apply(std::unordered_set<std::string>& changed) {
  std::vector<std::string> exits;
  for (const Member& member : members_) {
    for (const std::string& output : member.node->outputs) {
      if (output.empty() || is_identity(permuted_.at(output))) continue;
      changed.insert(output);
      if (!has_other_readers(output)) continue;
      exits.push_back(output);
      cores_[output] = graph_.unique(output + "_core");
    }
  }
  for (Member& member : members_) rewrite(member);
  for (model::Node* transpose : merged_) merge(*transpose);
  for (const std::string& value : exits) {
    model::Node transpose = make_node("Transpose", {core(value)}, value);
    transpose.set_attribute("perm", permuted_.at(value));
    graph_.add(std::move(transpose));
  }
  for (model::Node* source : sources_) {
    if (graph_.uses(source->outputs[0]) == 0) graph_.remove(*source);
  }
}

/// x -> Transpose by nothing -> y is x -> y.
bool drop_identity(GraphEditor& graph, model::Node& transpose) {
  const auto permutation = permutation_of(transpose);
  if (!permutation || !is_identity(*permutation)) return false;
  const std::string input = transpose.inputs[0];
  const std::string output = transpose.outputs[0];
  if (!graph.is_output(output)) {
    graph.replace_uses(output, input);
    graph.remove(transpose);
    return true;
  }
  model::Node* producer = graph.producer(input);
  if (!producer || graph.is_output(input)) return false;
  graph.remove(transpose);
  graph.replace_uses(input, output);
  std::vector<std::string> outputs = producer->outputs;
  std::replace(outputs.begin(), outputs.end(), input, output);
  graph.set_outputs(*producer, std::move(outputs));
  return true;
}

struct Changes {
  const model::ShapeTable& shapes;
  int64_t opset;
  std::unordered_set<std::string>& values;
};

/// One change in this graph, if there is any.
bool push_one(GraphEditor& graph, Changes& changes) {
  const std::vector<model::Node*> nodes = graph.nodes();
  for (model::Node* node : nodes) {
    if (!node->is("Transpose") || !permutation_of(*node)) continue;
    if (drop_identity(graph, *node)) return true;
    Push push(graph, changes.shapes, changes.opset);
    if (!push.start(*node, nodes)) continue;
    push.apply(changes.values);
    return true;
  }
  return false;
}

}  // namespace

Result<PassOutcome> push_transposes(model::Model& model, const PassContext& context) {
  // Before opset 7 operands broadcast by attributes.
  const int64_t opset = model.opset("");
  if (opset < 7) return PassOutcome();
  const model::ShapeTable& shapes = *WATTWISE_TRY(context.shapes(model));
  PassOutcome outcome;
  std::unordered_set<std::string> changed;
  for (bool again = true; again;) {
    again = false;
    ModelEditor& editor = context.open(model);
    Changes changes{shapes, opset, changed};
    for (GraphEditor& graph : editor.graphs()) again |= push_one(graph, changes);
    WATTWISE_TRY(editor.finish());
    outcome.changed += again ? 1 : 0;
  }
  drop_value_info(model, changed);
  return outcome;
}

}  // namespace wattwise::optimize
