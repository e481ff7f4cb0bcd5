// SPDX-License-Identifier: Apache-2.0
#include "optimize/graph_editor.h"

#include <algorithm>

#include "model/constant_store.h"

namespace wattwise::optimize {

GraphEditor::GraphEditor(ModelEditor& model, model::Graph& graph, GraphEditor* parent)
    : model_(model), graph_(graph), parent_(parent), uses_(model::count_uses(graph)) {
  for (const model::Value& output : graph.outputs) outputs_.insert(output.name);
  for (model::Node& node : graph.nodes) link(node);
}

void GraphEditor::link(model::Node& node) {
  for (const std::string& value : node.outputs) {
    if (!value.empty()) producers_[value] = &node;
  }
  for (const std::string& value : node.inputs) {
    if (value.empty()) continue;
    std::vector<model::Node*>& readers = readers_[value];
    if (std::find(readers.begin(), readers.end(), &node) == readers.end()) readers.push_back(&node);
  }
}

void GraphEditor::unlink(model::Node& node) {
  model_.touched_ = true;
  for (const std::string& value : node.outputs) {
    const auto it = producers_.find(value);
    if (it != producers_.end() && it->second == &node) producers_.erase(it);
  }
  for (const std::string& value : node.inputs) {
    if (!value.empty()) std::erase(readers_[value], &node);
  }
}

std::vector<model::Node*> GraphEditor::nodes() {
  std::vector<model::Node*> nodes;
  const auto list = [&](auto& all) {
    for (model::Node& node : all) {
      if (!removed_.contains(&node)) nodes.push_back(&node);
    }
  };
  list(graph_.nodes);
  list(added_nodes_);
  return nodes;
}

model::Node* GraphEditor::producer(const std::string& value) const {
  const auto it = producers_.find(value);
  return it == producers_.end() ? nullptr : it->second;
}

model::Node* GraphEditor::producer_if(const std::string& value, std::string_view op) const {
  model::Node* node = producer(value);
  return node && node->is(op) ? node : nullptr;
}

std::vector<model::Node*> GraphEditor::readers(const std::string& value) const {
  const auto it = readers_.find(value);
  return it == readers_.end() ? std::vector<model::Node*>() : it->second;
}

int GraphEditor::uses(const std::string& value) const {
  const auto it = uses_.find(value);
  return it == uses_.end() ? 0 : it->second;
}

const model::Constant* GraphEditor::constant(const std::string& value) const {
  if (value.empty()) return nullptr;
  if (const auto it = added_.find(value); it != added_.end()) return it->second;
  const model::Constant* known = model_.constants_.find(graph_, value);
  // The index still knows what a node made that has been replaced since.
  const model::Node* made_by = producer(value);
  return made_by && !made_by->is("Constant") ? nullptr : known;
}

std::string GraphEditor::unique(std::string_view base) {
  model_.touched_ = true;
  return model_.names_.unique(base);
}

std::string GraphEditor::add_constant(std::string_view base, const Tensor& tensor) {
  model::Constant constant = model::make_constant(unique(base), tensor);
  if (model::ConstantStore* store = model_.edited_.store.get()) {
    constant.data = store->keep(tensor.data.view());
  }
  std::string name = constant.name;
  if (model_.wants_inputs_for_constants()) {
    const auto value = std::make_shared<model::Constant>(std::move(constant));
    add(make_node("Constant", {}, name)).set_attribute("value", value);
    added_[name] = value.get();
    return name;
  }
  constants_.push_back(std::move(constant));
  added_[name] = &constants_.back();
  return name;
}

model::Node& GraphEditor::add(model::Node node) {
  model_.touched_ = true;
  added_nodes_.push_back(std::move(node));
  model::Node& added = added_nodes_.back();
  for (const auto& [value, count] : model::count_uses(added)) uses_[value] += count;
  link(added);
  return added;
}

void GraphEditor::remove(model::Node& node) {
  for (const auto& [value, count] : model::count_uses(node)) uses_[value] -= count;
  unlink(node);
  removed_.insert(&node);
}

void GraphEditor::set_inputs(model::Node& node, std::vector<std::string> inputs) {
  unlink(node);
  for (const std::string& value : node.inputs) {
    if (!value.empty()) --uses_[value];
  }
  node.inputs = std::move(inputs);
  for (const std::string& value : node.inputs) {
    if (!value.empty()) ++uses_[value];
  }
  link(node);
}

void GraphEditor::set_input(model::Node& node, size_t slot, const std::string& value) {
  std::vector<std::string> inputs = node.inputs;
  inputs[slot] = value;
  set_inputs(node, std::move(inputs));
}

void GraphEditor::set_outputs(model::Node& node, std::vector<std::string> outputs) {
  unlink(node);
  node.outputs = std::move(outputs);
  link(node);
}

bool GraphEditor::changes(const std::string& value) const {
  const auto is_named = [&](const auto& entry) { return entry.name == value; };
  return defines(value) && !constant(value) &&
         !(std::any_of(graph_.inputs.begin(), graph_.inputs.end(), is_named) &&
           std::any_of(graph_.initializers.begin(), graph_.initializers.end(), is_named));
}

bool GraphEditor::defines(const std::string& value) const {
  const auto named = [&](const auto& item) { return item.name == value; };
  return producers_.contains(value) || added_.contains(value) ||
         std::any_of(graph_.inputs.begin(), graph_.inputs.end(), named) ||
         std::any_of(graph_.initializers.begin(), graph_.initializers.end(), named);
}

void GraphEditor::replace_in_inner(const std::string& from, const std::string& to) {
  for (GraphEditor& inner : model_.graphs_) {
    if (inner.parent_ != this || inner.defines(from)) continue;
    inner.replace_uses(from, to);
    if (inner.outputs_.erase(from) == 0) continue;
    // Outputs of an inner graph count by position; one that hands on an outer value follows it.
    for (model::Value& output : inner.graph_.outputs) {
      if (output.name == from) output.name = to;
    }
    inner.outputs_.insert(to);
  }
}

void GraphEditor::replace_uses(const std::string& from, const std::string& to) {
  model_.touched_ = true;
  for (model::Node* reader : readers(from)) {
    std::vector<std::string> inputs = reader->inputs;
    std::replace(inputs.begin(), inputs.end(), from, to);
    set_inputs(*reader, std::move(inputs));
  }
  replace_in_inner(from, to);
  const int left = is_output(from) ? 1 : 0;
  uses_[to] += uses(from) - left;
  uses_[from] = left;
}

void GraphEditor::finish() {
  if (!removed_.empty()) {
    std::erase_if(added_nodes_, [&](const model::Node& node) { return removed_.contains(&node); });
    std::erase_if(graph_.nodes, [&](const model::Node& node) { return removed_.contains(&node); });
  }
  for (model::Node& node : added_nodes_) graph_.nodes.push_back(std::move(node));
  for (model::Constant& constant : constants_) graph_.initializers.push_back(std::move(constant));
}

ModelEditor::ModelEditor(model::Model& model)
    : edited_(model), constants_(model.graph), names_(model.graph) {
  open(model.graph, nullptr);
}

bool ModelEditor::wants_inputs_for_constants() const {
  return edited_.ir_version < model::kFirstIrWithConstants;
}

void ModelEditor::open(model::Graph& graph, GraphEditor* parent) {
  GraphEditor& editor = graphs_.emplace_back(*this, graph, parent);
  for (model::Node* node : editor.nodes()) {
    for (model::Attribute& attribute : node->attributes) {
      if (auto* one = std::get_if<std::shared_ptr<model::Graph>>(&attribute.value)) {
        open(**one, &editor);
      } else if (auto* many =
                     std::get_if<std::vector<std::shared_ptr<model::Graph>>>(&attribute.value)) {
        for (auto& inner : *many) open(*inner, &editor);
      }
    }
  }
}

Result<void> ModelEditor::finish() {
  if (!touched_ && sorted_) return {};
  // Inner graphs first: an outer one may drop the node that holds them.
  for (auto editor = graphs_.rbegin(); editor != graphs_.rend(); ++editor) editor->finish();
  touched_ |= WATTWISE_TRY(model::sort_nodes(edited_.graph));
  sorted_ = true;
  return {};
}

void drop_value_info(model::Model& model, const std::unordered_set<std::string>& values) {
  model::for_each_graph(model.graph, [&](model::Graph& graph, const std::string&) {
    std::erase_if(graph.value_info,
                  [&](const model::Value& value) { return values.contains(value.name); });
  });
}

model::Node make_node(std::string op, std::vector<std::string> inputs, std::string output) {
  model::Node node;
  node.name = output + "_" + op;
  node.op_type = std::move(op);
  node.inputs = std::move(inputs);
  node.outputs = {std::move(output)};
  return node;
}

namespace {

template <typename To, typename From>
std::vector<To> read_as(const model::Constant& constant) {
  const Tensor tensor = constant.tensor();
  const auto values = tensor.values<From>();
  return {values.begin(), values.end()};
}

}  // namespace

std::vector<float> float_values(const model::Constant& constant) {
  if (constant.type != DataType::kFloat) return {};
  return read_as<float, float>(constant);
}

std::optional<std::vector<int64_t>> integer_values(const model::Constant& constant) {
  if (constant.type == DataType::kInt64) return read_as<int64_t, int64_t>(constant);
  if (constant.type == DataType::kInt32) return read_as<int64_t, int32_t>(constant);
  return std::nullopt;
}

std::optional<float> scalar_value(const model::Constant* constant) {
  if (!constant || constant->element_count() != 1) return std::nullopt;
  const std::vector<float> values = float_values(*constant);
  return values.empty() ? std::nullopt : std::optional(values.front());
}

}  // namespace wattwise::optimize
