// SPDX-License-Identifier: Apache-2.0
// What is computed twice from the same values is computed once.
//
//   before:  Exp(x) -> a;  Exp(x) -> b;  Add(a, b)      after:  Exp(x) -> a;  Add(a, a)
//
// Exact: operators of the standard sets return the same for the same inputs and attributes. Left
// alone: random operators, Dropout while training, nodes with inner graphs, operators of other
// domains. An inner graph reads the value of a graph around it instead of computing it again.
// Operands of commutative operators may be swapped. Outputs of a graph keep their nodes.
#include <algorithm>
#include <array>
#include <cstring>

#include "optimize/graph_editor.h"
#include "optimize/passes/passes.h"

namespace wattwise::optimize {
namespace {

constexpr auto kRandom =
    std::to_array<std::string_view>({"RandomNormal", "RandomNormalLike", "RandomUniform",
                                     "RandomUniformLike", "Multinomial", "Bernoulli", "Dropout"});
constexpr auto kCommutative =
    std::to_array<std::string_view>({"Add", "Mul", "And", "Or", "Xor", "Equal"});

/// An attribute's value as text that is equal only for equal values; empty where it cannot be said.
struct Spelled {
  template <typename T>
  static std::string bytes(std::span<const T> values) {
    return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
  }
  std::string operator()(float value) const { return "f" + bytes<float>({&value, 1}); }
  std::string operator()(int64_t value) const { return "i" + std::to_string(value); }
  std::string operator()(const std::string& value) const { return "s" + value; }
  std::string operator()(const std::vector<float>& values) const {
    return "F" + bytes<float>(values);
  }
  std::string operator()(const std::vector<int64_t>& values) const {
    return "I" + bytes<int64_t>(values);
  }
  std::string operator()(const std::vector<std::string>& values) const {
    std::string text = "S";
    for (const std::string& value : values) text += std::to_string(value.size()) + ":" + value;
    return text;
  }
  std::string operator()(const std::shared_ptr<model::Constant>& value) const {
    std::string text = "t" + std::to_string(static_cast<int>(value->type)) + "[";
    for (const int64_t size : value->shape) text += std::to_string(size) + ",";
    for (const std::string& item : value->strings) text += std::to_string(item.size()) + ":" + item;
    return text + "]" + std::string(value->data.as_text());
  }
  template <typename Other>
  std::string operator()(const Other&) const {
    return "";
  }
};

void append(std::string& text, std::string_view part) {
  text += std::to_string(part.size());
  text += ':';
  text += part;
}

bool is_repeatable(const model::Node& node) {
  const bool known_domain = node.is_standard() || node.domain == "ai.onnx.ml";
  return known_domain && !node.outputs.empty() && !node.is("Constant") && !node.is_one_of(kRandom);
}

/// Equal for nodes that return the same; absent for one that cannot be compared.
std::optional<std::string> key_of(const model::Node& node) {
  if (!is_repeatable(node)) return std::nullopt;
  std::string key;
  append(key, node.op_type);
  append(key, node.is_standard() ? std::string_view() : std::string_view(node.domain));
  append(key, node.overload);
  std::vector<std::string> inputs = node.inputs;
  if (node.is_one_of(kCommutative)) std::sort(inputs.begin(), inputs.end());
  for (const std::string& input : inputs) append(key, input);
  std::vector<const model::Attribute*> attributes;
  for (const model::Attribute& attribute : node.attributes) attributes.push_back(&attribute);
  std::sort(attributes.begin(), attributes.end(),
            [](const auto* a, const auto* b) { return a->name < b->name; });
  key += '|';
  for (const model::Attribute* attribute : attributes) {
    const std::string value = std::visit(Spelled(), attribute->value);
    if (value.empty()) return std::nullopt;
    append(key, attribute->name);
    append(key, value);
  }
  return key + "|" + std::to_string(node.outputs.size());
}

/// What is computed already, in the present graph and those around it.
class Merger {
 public:
  int64_t merge_graph(GraphEditor& graph) {
    int64_t merged = 0;
    auto& known = known_[&graph.graph()];
    for (model::Node* node : graph.nodes()) {
      const auto key = key_of(*node);
      if (!key) continue;
      model::Node* twin = find(graph, *key);
      if (twin && sees_twin(graph, *node, *twin)) {
        merged += replace(graph, *node, *twin);
      } else {
        known[*key] = node;
      }
    }
    return merged;
  }

 private:
  using Known = std::unordered_map<std::string, model::Node*>;

  model::Node* find(const GraphEditor& graph, const std::string& key) const {
    for (const GraphEditor* scope = &graph; scope; scope = scope->parent()) {
      const auto known = known_.find(&scope->graph());
      if (known == known_.end()) continue;
      const auto it = known->second.find(key);
      if (it != known->second.end()) return it->second;
    }
    return nullptr;
  }

  /// True if the names mean the same in the graph and in the one around it that the twin is in.
  static bool sees_twin(const GraphEditor& graph, const model::Node& node,
                        const model::Node& twin) {
    const auto own = [&](const std::string& name) { return graph.defines(name); };
    if (is_made_here(graph, twin)) return true;
    return std::none_of(node.inputs.begin(), node.inputs.end(), own) &&
           std::none_of(twin.outputs.begin(), twin.outputs.end(), own);
  }

  static bool is_made_here(const GraphEditor& graph, const model::Node& node) {
    return std::any_of(node.outputs.begin(), node.outputs.end(),
                       [&](const std::string& output) { return graph.producer(output) == &node; });
  }

  static bool makes_output(const GraphEditor& graph, const model::Node& node) {
    return std::any_of(node.outputs.begin(), node.outputs.end(),
                       [&](const std::string& output) { return graph.is_output(output); });
  }

  /// Leaves one of the two; 0 if outputs of the graph forbid it.
  static int64_t replace(GraphEditor& graph, model::Node& node, model::Node& twin) {
    const std::vector<std::string> outputs = node.outputs;
    const std::vector<std::string> kept = twin.outputs;
    if (!std::equal(outputs.begin(), outputs.end(), kept.begin(),
                    [](const auto& a, const auto& b) { return a.empty() == b.empty(); })) {
      return 0;
    }
    if (!makes_output(graph, node)) {
      graph.remove(node);
      replace_uses(graph, outputs, kept);
      return 1;
    }
    if (!is_made_here(graph, twin) || makes_output(graph, twin)) return 0;
    graph.remove(node);
    graph.set_outputs(twin, outputs);
    replace_uses(graph, kept, outputs);
    return 1;
  }

  static void replace_uses(GraphEditor& graph, const std::vector<std::string>& from,
                           const std::vector<std::string>& to) {
    for (size_t i = 0; i < from.size(); ++i) {
      if (!from[i].empty()) graph.replace_uses(from[i], to[i]);
    }
  }

  std::unordered_map<const model::Graph*, Known> known_;
};

}  // namespace

Result<PassOutcome> merge_equal_nodes(model::Model& model, const PassContext& context) {
  PassOutcome outcome;
  ModelEditor& editor = context.open(model);
  Merger merger;
  for (GraphEditor& graph : editor.graphs()) outcome.changed += merger.merge_graph(graph);
  WATTWISE_TRY(editor.finish());
  return outcome;
}

}  // namespace wattwise::optimize
