// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "model/graph.h"
#include "model/graph_edit.h"
#include "model/walk.h"
#include "wattwise/result.h"

namespace wattwise::optimize {

class ModelEditor;

/// One graph while a pass rewrites it: who makes and who reads each value, kept true through the
/// edits below. Nodes keep their addresses until the ModelEditor finishes, which takes out those
/// that were removed; new ones may be added in any order, since finishing sorts. Thread rule: one
/// thread.
class GraphEditor {
 public:
  /// `parent` edits the graph around this one; null for the main graph.
  GraphEditor(ModelEditor& model, model::Graph& graph, GraphEditor* parent);
  GraphEditor(const GraphEditor&) = delete;
  GraphEditor& operator=(const GraphEditor&) = delete;

  // --- looking ---
  /// The nodes that are still there, in the order of the graph, added ones last.
  std::vector<model::Node*> nodes();
  /// The node of this graph that makes the value; null for inputs, initializers and values of the
  /// graphs around. A `Constant` node is a producer too; see constant().
  model::Node* producer(const std::string& value) const;
  /// The producer if it is `op` of the standard domain.
  model::Node* producer_if(const std::string& value, std::string_view op) const;
  /// Nodes of this graph that have the value as an input, each once.
  std::vector<model::Node*> readers(const std::string& value) const;
  /// Reads of the value: inputs of nodes, here and in inner graphs, and outputs of this graph.
  int uses(const std::string& value) const;
  bool is_output(const std::string& value) const { return outputs_.contains(value); }
  /// The constant that the value is (initializer, `Constant` node, of this graph or one around), or
  /// null.
  const model::Constant* constant(const std::string& value) const;
  /// Whether the value is made or fed anew at each inference, in this graph, and no constant, not
  /// even one that stands in where nothing is fed.
  bool changes(const std::string& value) const;
  /// Whether the value belongs to this graph: made, fed or stored in it, not in one around.
  bool defines(const std::string& value) const;
  /// The graph around this one; null for the main graph.
  const GraphEditor* parent() const { return parent_; }
  const model::Graph& graph() const { return graph_; }

  // --- changing ---
  /// A name that no value of the model has.
  std::string unique(std::string_view base);
  /// A new initializer of this graph, or a `Constant` node where the model's IR version wants every
  /// initializer to be an input; returns its name, `base` if it is free.
  std::string add_constant(std::string_view base, const Tensor& tensor);
  model::Node& add(model::Node node);
  void remove(model::Node& node);
  void set_inputs(model::Node& node, std::vector<std::string> inputs);
  void set_input(model::Node& node, size_t slot, const std::string& value);
  void set_outputs(model::Node& node, std::vector<std::string> outputs);
  /// Makes every reader of `from`, here and in inner graphs, read `to`, which must be made before
  /// them. Outputs of this graph keep their names.
  void replace_uses(const std::string& from, const std::string& to);

 private:
  friend class ModelEditor;
  void link(model::Node& node);
  void unlink(model::Node& node);
  void replace_in_inner(const std::string& from, const std::string& to);
  void finish();

  ModelEditor& model_;
  model::Graph& graph_;
  GraphEditor* parent_;
  std::deque<model::Node> added_nodes_;
  std::deque<model::Constant> constants_;
  std::unordered_set<const model::Node*> removed_;
  std::unordered_set<std::string> outputs_;
  std::unordered_map<std::string, model::Node*> producers_;
  std::unordered_map<std::string, std::vector<model::Node*>> readers_;
  std::unordered_map<std::string, int> uses_;
  std::unordered_map<std::string, const model::Constant*> added_;
};

/// All graphs of a model, opened for rewriting; until finish() the model's own node lists stay as
/// long as they are. What a pass changes in one graph shows in the counts of the graphs around it
/// only after finish(); counts never fall short, since no edit makes an inner graph read an outer
/// value that it did not read before.
class ModelEditor {
 public:
  explicit ModelEditor(model::Model& model);

  /// The main graph first, outer before inner.
  std::deque<GraphEditor>& graphs() { return graphs_; }
  /// Puts nodes and constants back, nodes sorted. The editors may not be used afterwards, unless
  /// is_untouched(). kCorrupt if the edits made a cycle.
  Result<void> finish();
  /// Whether nothing was edited, no name was given away and no node moved.
  bool is_untouched() const { return !touched_; }

 private:
  friend class GraphEditor;
  bool wants_inputs_for_constants() const;
  void open(model::Graph& graph, GraphEditor* parent);

  model::Model& edited_;
  bool touched_ = false;
  bool sorted_ = false;
  model::ConstantIndex constants_;
  model::NameMaker names_;
  std::deque<GraphEditor> graphs_;
};

/// Drops what the model's graphs say of the types and shapes of these values.
void drop_value_info(model::Model& model, const std::unordered_set<std::string>& values);

/// A node of the standard domain with one output, named after it.
model::Node make_node(std::string op, std::vector<std::string> inputs, std::string output);

/// The elements of a float constant; empty for another type.
std::vector<float> float_values(const model::Constant& constant);
/// The elements of an int64 or int32 constant; absent for another type.
std::optional<std::vector<int64_t>> integer_values(const model::Constant& constant);
/// The value of a float constant with one element.
std::optional<float> scalar_value(const model::Constant* constant);

}  // namespace wattwise::optimize
