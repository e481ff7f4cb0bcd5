// SPDX-License-Identifier: Apache-2.0
#include "quantize/weights.h"

#include <algorithm>
#include <functional>

#include "core/finite.h"
#include "model/walk.h"

namespace wattwise::quantize {
namespace {

/// Smaller constants are shapes, scales and short biases; packing them saves nothing.
constexpr size_t kMinWeightBytes = 1024;
/// A vector only needs one node to be unpacked.
constexpr size_t kMinVectorBytes = 256;

bool is_output(const model::Graph& graph, const std::string& name) {
  return std::any_of(graph.outputs.begin(), graph.outputs.end(),
                     [&](const model::Value& value) { return value.name == name; });
}

/// The graph in which each constant is defined.
std::unordered_map<const model::Constant*, model::Graph*> owners(
    const model::ConstantIndex& index) {
  std::unordered_map<const model::Constant*, model::Graph*> out;
  for (const auto& entry : index.entries()) out[entry.constant] = entry.graph;
  return out;
}

void report_left_alone(const model::ConstantIndex& index, std::vector<Decision>& decisions) {
  for (const auto& entry : index.entries()) {
    const model::Constant& constant = *entry.constant;
    if (constant.data.size() < kMinWeightBytes || constant.type == DataType::kFloat) continue;
    decisions.push_back({"leave", constant.name.empty() ? "a constant" : constant.name,
                         "its type is " + data_type_name(constant.type) + ", not float"});
  }
}

}  // namespace

bool Weight::only_read_by(std::string_view op, size_t slot) const {
  return std::all_of(readers.begin(), readers.end(), [&](const WeightReader& reader) {
    return reader.node->is(op) && reader.slot == slot;
  });
}

namespace {

/// A vector has all its elements along one axis.
bool is_vector(const model::Constant& constant) {
  return std::any_of(constant.shape.begin(), constant.shape.end(),
                     [&](int64_t size) { return size == constant.element_count(); });
}

/// All float constants of `least` bytes and more for which `wanted` holds and that no graph puts
/// out.
std::vector<Weight> collect(const model::ConstantIndex& index, model::Model& model, size_t least,
                            const std::function<bool(const model::Constant&)>& wanted) {
  const auto owner = owners(index);
  std::vector<Weight> weights;
  std::unordered_map<const model::Constant*, size_t> position;
  model::for_each_graph(model.graph, [&](model::Graph& graph, const std::string&) {
    for (const model::Node& node : graph.nodes) {
      for (size_t slot = 0; slot < node.inputs.size(); ++slot) {
        model::Constant* constant = index.find(graph, node.inputs[slot]);
        if (!constant || constant->type != DataType::kFloat || constant->data.size() < least ||
            !wanted(*constant)) {
          continue;
        }
        const auto [at, added] = position.emplace(constant, weights.size());
        if (added) {
          weights.push_back(
              {owner.at(constant), node.inputs[slot], *constant, {}, model.store.get()});
        }
        weights[at->second].readers.push_back({&graph, &node, slot});
      }
    }
  });
  return weights;
}

bool is_output(const Weight& weight) { return is_output(*weight.graph, weight.name); }

/// Why a weight cannot lose precision; empty if it can.
std::string_view obstacle(const Weight& weight) {
  if (is_output(weight)) return "it is an output of its graph";
  return is_finite(weight.values()) ? "" : "it holds infinity or NaN, as masks do";
}

}  // namespace

bool is_finite(const Floats& values) {
  constexpr size_t kValuesAtOnce = size_t{1} << 16;
  for (size_t from = 0; from < values.size(); from += kValuesAtOnce) {
    const size_t to = std::min(values.size(), from + kValuesAtOnce);
    if (!all_finite(values.data() + from, to - from)) return false;
    values.passed(to);
  }
  return true;
}

std::vector<Weight> find_weights(model::Model& model, std::vector<Decision>& decisions) {
  const model::ConstantIndex index(model.graph);
  report_left_alone(index, decisions);
  std::vector<Weight> weights =
      collect(index, model, kMinWeightBytes, [](const model::Constant& constant) {
        return constant.shape.size() >= 2 && !is_vector(constant);
      });
  std::erase_if(weights, [&](const Weight& weight) {
    const std::string_view why = obstacle(weight);
    if (model.store) model.store->release_all();
    if (!why.empty()) decisions.push_back({"keep_float", weight.name, std::string(why)});
    return !why.empty();
  });
  return weights;
}

std::vector<Weight> find_vectors(model::Model& model) {
  std::vector<Weight> vectors =
      collect(model::ConstantIndex(model.graph), model, kMinVectorBytes, is_vector);
  std::erase_if(vectors, [](const Weight& vector) { return is_output(vector); });
  return vectors;
}

std::string ModelEdits::add_constant(const Weight& weight, std::string_view suffix,
                                     const Tensor& tensor) {
  std::string name = unique(weight.name + std::string(suffix));
  model::Constant constant = model::make_constant(name, tensor);
  const auto bytes = tensor.data.view();
  if (store_) {
    constant.data = store_->keep(bytes);
  } else if (!tensor.data.have_owner()) {
    constant.data = Bytes::copy_of(bytes);
  }
  edits_[weight.graph].added.push_back(std::move(constant));
  return name;
}

std::string ModelEdits::shared_constant(const Weight& weight, std::string_view suffix,
                                        const Tensor& tensor) {
  std::string& name = edits_[weight.graph].shared[std::string(suffix)];
  if (name.empty()) name = add_constant(weight, suffix, tensor);
  return name;
}

std::unordered_set<std::string> ModelEdits::read_in_places() const {
  std::unordered_set<std::string> names;
  for (const auto& [graph, edits] : edits_) {
    for (const auto& [replaced, nodes] : edits.replaced) {
      for (const model::Node& node : nodes) names.insert(node.inputs.begin(), node.inputs.end());
    }
  }
  return names;
}

bool ModelEdits::replaces(const WeightReader& reader) const {
  const auto it = edits_.find(reader.graph);
  return it != edits_.end() && it->second.replaced.contains(reader.node);
}

void ModelEdits::apply() {
  for (auto& entry : edits_) {
    model::Graph* const graph = entry.first;
    GraphEdits& edits = entry.second;
    std::vector<model::Node> nodes = std::move(edits.first);
    for (model::Node& node : graph->nodes) {
      if (const auto it = edits.replaced.find(&node); it != edits.replaced.end()) {
        for (model::Node& made : it->second) nodes.push_back(std::move(made));
      } else if (!(node.is("Constant") && edits.removed.contains(node.outputs[0]))) {
        nodes.push_back(std::move(node));
      }
    }
    graph->nodes = std::move(nodes);
    std::erase_if(graph->initializers, [&](const model::Constant& constant) {
      return edits.removed.contains(constant.name);
    });
    for (model::Constant& constant : edits.added)
      graph->initializers.push_back(std::move(constant));
    std::erase_if(graph->value_info,
                  [&](const model::Value& value) { return edits.removed.contains(value.name); });
  }
  edits_.clear();
}

}  // namespace wattwise::quantize
