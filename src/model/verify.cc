// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <unordered_map>
#include <unordered_set>

#include "model/graph_edit.h"
#include "model/quote.h"
#include "model/reader.h"

namespace wattwise::model {
namespace {

Error broken(const std::string& what) {
  return {ErrorCode::kCorrupt, what + "; export the model again"};
}

std::string in(const std::string& place) { return place.empty() ? "" : " in " + quoted(place); }

Result<void> check_constant(const Constant& constant) {
  try {
    check_size(constant);
    return {};
  } catch (const Damage& damage) {
    return broken(fmt::format("constant {}: {}", quoted(constant.name), damage.what()));
  }
}

/// Walks a model in the order of its nodes. One table holds every name that can be seen, with how
/// many graphs around the current place define it, so that inner graphs cost no copies.
class Verifier {
 public:
  explicit Verifier(const Model& model) {
    for (const OpsetImport& import : model.opset_imports) domains_.insert(standard(import.domain));
    // Before IR version 3 a model imported nothing and meant operator set 1.
    if (model.ir_version < 3) domains_.insert("");
  }

  Result<void> verify_graph(const Graph& graph, const std::string& place) {
    Names made;
    WATTWISE_TRY(define_sources(graph, made, place));
    for (const Node& node : graph.nodes) WATTWISE_TRY(verify_node(node, made, place));
    for (const Value& output : graph.outputs) {
      if (!visible_.contains(output.name)) {
        return broken(fmt::format("nothing makes the output {}{}", quoted(output.name), in(place)));
      }
    }
    for (const std::string_view name : made) {
      if (const auto it = visible_.find(name); --it->second == 0) visible_.erase(it);
    }
    return {};
  }

 private:
  using Names = std::unordered_set<std::string_view>;

  static std::string_view standard(std::string_view domain) {
    return domain == "ai.onnx" ? "" : domain;
  }

  bool define(Names& made, std::string_view name) {
    if (!made.insert(name).second) return false;
    ++visible_[name];
    return true;
  }

  Result<void> define_sources(const Graph& graph, Names& made, const std::string& place) {
    Names inputs;
    for (const Value& input : graph.inputs) {
      if (!define(made, input.name)) {
        return broken(
            fmt::format("the input {}{} is declared twice", quoted(input.name), in(place)));
      }
      inputs.insert(input.name);
    }
    // An initializer of an input's name is the input's default.
    const auto define_constant = [&](std::string_view name) {
      return define(made, name) || inputs.erase(name) > 0;
    };
    for (const Constant& constant : graph.initializers) {
      WATTWISE_TRY(check_constant(constant));
      if (!define_constant(constant.name)) {
        return broken(
            fmt::format("the initializer {}{} is there twice", quoted(constant.name), in(place)));
      }
    }
    for (const SparseConstant& constant : graph.sparse_initializers) define_constant(constant.name);
    return {};
  }

  Result<void> verify_node(const Node& node, Names& made, const std::string& place) {
    const auto describe = [&] {
      return fmt::format("{} node {}{}", quoted(node.op_type), quoted(node.name), in(place));
    };
    if (node.op_type.empty()) return broken(fmt::format("a node{} has no operator", in(place)));
    if (!domains_.contains(standard(node.domain))) {
      return broken(fmt::format("the {} is of the operator set {}, which the model does not import",
                                describe(), quoted(node.domain)));
    }
    for (const std::string& name : node.inputs) {
      if (!name.empty() && !visible_.contains(name)) {
        return broken(
            fmt::format("the {} reads {} before anything makes it (a missing input, a "
                        "wrong order or a cycle)",
                        describe(), quoted(name)));
      }
    }
    for (const Attribute& attribute : node.attributes) {
      WATTWISE_TRY(verify_attribute(node, attribute, place));
    }
    for (const std::string& name : node.outputs) {
      if (!name.empty() && !define(made, name)) {
        return broken(fmt::format("the {} makes {} a second time", describe(), quoted(name)));
      }
    }
    return {};
  }

  Result<void> verify_attribute(const Node& node, const Attribute& attribute,
                                const std::string& place) {
    if (const auto* tensor = std::get_if<std::shared_ptr<Constant>>(&attribute.value)) {
      return check_constant(**tensor);
    }
    if (const auto* many = std::get_if<std::vector<std::shared_ptr<Constant>>>(&attribute.value)) {
      for (const auto& tensor : *many) WATTWISE_TRY(check_constant(*tensor));
    }
    const auto inner = [&] {
      return (place.empty() ? "" : place + "/") + node.op_type + "." + attribute.name;
    };
    if (const auto* one = std::get_if<std::shared_ptr<Graph>>(&attribute.value)) {
      return verify_graph(**one, inner());
    }
    if (const auto* many = std::get_if<std::vector<std::shared_ptr<Graph>>>(&attribute.value)) {
      for (const auto& graph : *many) WATTWISE_TRY(verify_graph(*graph, inner()));
    }
    return {};
  }

  Names domains_;
  std::unordered_map<std::string_view, int> visible_;
};

}  // namespace

Result<void> verify(const Model& model) { return Verifier(model).verify_graph(model.graph, ""); }

}  // namespace wattwise::model
