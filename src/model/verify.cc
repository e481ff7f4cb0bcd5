// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <unordered_set>

#include "model/graph_edit.h"
#include "model/reader.h"

namespace wattwise::model {
namespace {

using Names = std::unordered_set<std::string>;

std::string describe(const Node& node, const std::string& place) {
  return fmt::format("{} node \"{}\"{}{}", node.op_type, node.name, place.empty() ? "" : " in ",
                     place);
}

Error broken(const std::string& what) {
  return {ErrorCode::kCorrupt, what + "; export the model again"};
}

Result<void> check_constant(const Constant& constant) {
  try {
    const auto wanted = expected_bytes(constant.type, constant.shape);
    if (!wanted || *wanted == constant.data.size()) return {};
    return broken(fmt::format("constant \"{}\" holds {} bytes, its shape needs {}", constant.name,
                              constant.data.size(), *wanted));
  } catch (const Damage& damage) {
    return broken(fmt::format("constant \"{}\": {}", constant.name, damage.what()));
  }
}

Result<void> verify_graph(const Graph& graph, Names visible, const std::string& place);

Result<void> verify_attributes(const Node& node, const Names& visible, const std::string& place) {
  for (const Attribute& attribute : node.attributes) {
    if (const auto* tensor = std::get_if<std::shared_ptr<Constant>>(&attribute.value)) {
      WATTWISE_TRY(check_constant(**tensor));
    }
    const std::string inner =
        (place.empty() ? "" : place + "/") + node.op_type + "." + attribute.name;
    if (const auto* one = std::get_if<std::shared_ptr<Graph>>(&attribute.value)) {
      WATTWISE_TRY(verify_graph(**one, visible, inner));
    }
    if (const auto* many = std::get_if<std::vector<std::shared_ptr<Graph>>>(&attribute.value)) {
      for (const auto& graph : *many) WATTWISE_TRY(verify_graph(*graph, visible, inner));
    }
  }
  return {};
}

Result<void> verify_node(const Node& node, Names& visible, Names& made, const std::string& place) {
  if (node.op_type.empty()) return broken("a node has no operator");
  for (const std::string& name : node.inputs) {
    if (!name.empty() && !visible.contains(name)) {
      return broken(
          fmt::format("{} reads \"{}\" before anything makes it (a missing input, a wrong "
                      "order or a cycle)",
                      describe(node, place), name));
    }
  }
  WATTWISE_TRY(verify_attributes(node, visible, place));
  for (const std::string& name : node.outputs) {
    if (name.empty()) continue;
    if (!made.insert(name).second) {
      return broken(fmt::format("{} makes \"{}\" a second time", describe(node, place), name));
    }
    visible.insert(name);
  }
  return {};
}

Result<void> verify_graph(const Graph& graph, Names visible, const std::string& place) {
  Names made;
  for (const Value& input : graph.inputs) {
    if (!made.insert(input.name).second) {
      return broken(fmt::format("the input \"{}\" is declared twice", input.name));
    }
  }
  for (const Constant& constant : graph.initializers) {
    WATTWISE_TRY(check_constant(constant));
    made.insert(constant.name);
  }
  visible.insert(made.begin(), made.end());
  for (const Node& node : graph.nodes) WATTWISE_TRY(verify_node(node, visible, made, place));
  for (const Value& output : graph.outputs) {
    if (!visible.contains(output.name)) {
      return broken(fmt::format("nothing makes the output \"{}\"", output.name));
    }
  }
  return {};
}

}  // namespace

Result<void> verify(const Model& model) {
  if (model.opset_imports.empty() && model.functions.empty() && !model.graph.nodes.empty()) {
    return broken("the model imports no operator set");
  }
  return verify_graph(model.graph, {}, "");
}

}  // namespace wattwise::model
