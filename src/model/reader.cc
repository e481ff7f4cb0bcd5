// SPDX-License-Identifier: Apache-2.0
#include "model/reader.h"

#include <fmt/format.h>

#include "model/fields.h"
#include "model/quote.h"
#include "model/read_tensor.h"
#include "model/read_value.h"
#include "model/wire.h"

namespace wattwise::model {
namespace {

/// Deeper nesting of graphs is refused: no exporter makes it, and reading it needs a deep stack.
constexpr int kMaxDepth = 64;

/// Reads one file; keeps count of what it has made.
class ModelReader {
 public:
  ModelReader(const Bytes& file, const ExternalData& external)
      : file_(file), external_(external), budget_(file.size()) {}

  Model read() {
    Model model;
    bool has_graph = false;
    for_each_field(message_of(file_), model.unknown, [&](Reader& r) {
      if (r.tag() == wire::ModelField::kGraph && is_bytes(r)) {
        if (has_graph) throw Damage("there are two main graphs");
        has_graph = true;
        model.graph = read_graph(r.get_message(), 0);
        return true;
      }
      return take_model_field(r, model);
    });
    if (!has_graph) throw Damage("there is no graph in it");
    return model;
  }

 private:
  static Reader message_of(const Bytes& bytes) {
    return Reader(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

  bool take_model_field(Reader& r, Model& model) {
    switch (r.tag()) {
      case wire::ModelField::kIrVersion:
        return take(r, model.ir_version);
      case wire::ModelField::kProducerName:
        return take(r, model.producer_name);
      case wire::ModelField::kProducerVersion:
        return take(r, model.producer_version);
      case wire::ModelField::kDomain:
        return take(r, model.domain);
      case wire::ModelField::kModelVersion:
        return take(r, model.model_version);
      case wire::ModelField::kDoc:
        return take(r, model.doc);
      case wire::ModelField::kOpsetImport:
        if (!is_bytes(r)) return false;
        model.opset_imports.push_back(read_opset(r.get_message()));
        return true;
      case wire::ModelField::kMetadata:
        return is_bytes(r) && take_metadata(r, model);
      case wire::ModelField::kFunctions:
        if (!is_bytes(r)) return false;
        budget_.take();
        model.functions.push_back(read_function(r.get_string()));
        return true;
      default:
        return false;
    }
  }

  Function read_function(std::string bytes) {
    Function function{std::move(bytes)};
    std::string ignored;
    for_each_field(Reader(function.bytes), ignored, [&](Reader& r) {
      if (r.tag() == wire::FunctionField::kName) return take(r, function.name);
      if (r.tag() == wire::FunctionField::kDomain) return take(r, function.domain);
      if (r.tag() != wire::FunctionField::kNode || !is_bytes(r)) return false;
      budget_.take();
      std::string& op_type = function.op_types.emplace_back();
      for_each_field(r.get_message(), ignored, [&](Reader& node) {
        return node.tag() == wire::NodeField::kOpType && take(node, op_type);
      });
      return true;
    });
    return function;
  }

  OpsetImport read_opset(Reader message) {
    budget_.take();
    OpsetImport import;
    for_each_field(message, import.unknown, [&](Reader& r) {
      if (r.tag() == wire::PairField::kFirst) return take(r, import.domain);
      return r.tag() == wire::PairField::kSecond && take(r, import.version);
    });
    return import;
  }

  /// False for an entry with more in it than a key and a value; it is then kept as it stands.
  bool take_metadata(Reader& r, Model& model) {
    budget_.take();
    std::string unknown;
    std::pair<std::string, std::string> entry;
    Reader copy = r;
    for_each_field(copy.get_message(), unknown, [&](Reader& field) {
      if (field.tag() == wire::PairField::kFirst) return take(field, entry.first);
      return field.tag() == wire::PairField::kSecond && take(field, entry.second);
    });
    if (!unknown.empty()) return false;
    r.skip();
    model.metadata.push_back(std::move(entry));
    return true;
  }

  Graph read_graph(Reader message, int depth) {
    if (depth > kMaxDepth) {
      throw Damage(fmt::format("graphs are nested deeper than {} levels", kMaxDepth));
    }
    Graph graph;
    for_each_field(message, graph.unknown, [&](Reader& r) {
      if (r.tag() == wire::GraphField::kName) return take(r, graph.name);
      if (r.tag() == wire::GraphField::kDoc) return take(r, graph.doc);
      return is_bytes(r) && take_graph_part(r, graph, depth);
    });
    return graph;
  }

  bool take_graph_part(Reader& r, Graph& graph, int depth) {
    switch (r.tag()) {
      case wire::GraphField::kNode:
        graph.nodes.push_back(read_node(r.get_message(), depth));
        return true;
      case wire::GraphField::kInitializer:
        graph.initializers.push_back(read_tensor(r.get_message(), source()));
        return true;
      case wire::GraphField::kInput:
        graph.inputs.push_back(read_value(r.get_message(), budget_));
        return true;
      case wire::GraphField::kOutput:
        graph.outputs.push_back(read_value(r.get_message(), budget_));
        return true;
      case wire::GraphField::kValueInfo:
        graph.value_info.push_back(read_value(r.get_message(), budget_));
        return true;
      case wire::GraphField::kSparseInitializer:
        graph.sparse_initializers.push_back(read_sparse(r.get_view()));
        return true;
      default:
        return false;
    }
  }

  SparseConstant read_sparse(protozero::data_view bytes) {
    budget_.take();
    SparseConstant constant{"", std::string(bytes.data(), bytes.size())};
    Reader message(bytes);
    while (message.next(wire::SparseField::kValues, WireType::length_delimited)) {
      Reader values = message.get_message();
      while (values.next(wire::TensorField::kName, WireType::length_delimited)) {
        constant.name = values.get_string();
      }
    }
    return constant;
  }

  Node read_node(Reader message, int depth) {
    budget_.take();
    Node node;
    for_each_field(message, node.unknown, [&](Reader& r) {
      if (!is_bytes(r)) return false;
      switch (r.tag()) {
        case wire::NodeField::kInput:
          node.inputs.push_back(r.get_string());
          return true;
        case wire::NodeField::kOutput:
          node.outputs.push_back(r.get_string());
          return true;
        case wire::NodeField::kName:
          return take(r, node.name);
        case wire::NodeField::kOpType:
          return take(r, node.op_type);
        case wire::NodeField::kDomain:
          return take(r, node.domain);
        case wire::NodeField::kOverload:
          return take(r, node.overload);
        case wire::NodeField::kDoc:
          return take(r, node.doc);
        case wire::NodeField::kAttribute:
          node.attributes.push_back(read_attribute(r.get_message(), depth));
          return true;
        default:
          return false;
      }
    });
    return node;
  }

  Attribute read_attribute(Reader message, int depth) {
    budget_.take();
    Attribute attribute;
    AttributeParts parts;
    const uint32_t value_tag = find_value_tag(message);
    if (value_tag == 0) return read_raw_attribute(message);
    for_each_field(message, attribute.unknown, [&](Reader& r) {
      switch (r.tag()) {
        case wire::AttributeField::kName:
          return take(r, attribute.name);
        case wire::AttributeField::kDoc:
          return take(r, attribute.doc);
        case wire::AttributeField::kType:
          return take(r, parts.type);
        default:
          return r.tag() == value_tag && take_attribute_value(r, parts, depth);
      }
    });
    attribute.value = finish_value(attribute.name, value_tag, std::move(parts));
    return attribute;
  }

  /// Everything but the name, as it stands.
  static Attribute read_raw_attribute(Reader message) {
    Attribute attribute;
    RawAttribute raw;
    for_each_field(message, raw.bytes, [&](Reader& r) {
      return r.tag() == wire::AttributeField::kName && take(r, attribute.name);
    });
    attribute.value = std::move(raw);
    return attribute;
  }

  /// The field that holds an attribute's value, by its type; 0 for types that are kept as bytes.
  /// Files of IR version 1 leave the type out; the value that is there then tells it.
  static uint32_t find_value_tag(Reader message) {
    int64_t type = 0;
    uint32_t last_value_tag = 0;
    while (message.next()) {
      const uint32_t tag = message.tag();
      if (tag == wire::AttributeField::kRefName) return 0;
      if (tag == wire::AttributeField::kType && is_varint(message)) {
        type = message.get_int64();
        continue;
      }
      if (wire::holds_attribute_value(tag)) last_value_tag = tag;
      message.skip();
    }
    return type == 0 ? last_value_tag : wire::value_tag_of(type);
  }

  /// The value of an attribute while it is read, whichever it is.
  struct AttributeParts {
    int64_t type = 0;
    float f = 0;
    int64_t i = 0;
    std::string s;
    std::vector<float> floats;
    std::vector<int64_t> ints;
    std::vector<std::string> strings;
    std::vector<std::shared_ptr<Constant>> tensors;
    std::vector<std::shared_ptr<Graph>> graphs;
  };

  bool take_attribute_value(Reader& r, AttributeParts& parts, int depth) {
    switch (r.tag()) {
      case wire::AttributeField::kFloat:
        if (!is_fixed32(r)) return false;
        parts.f = r.get_float();
        return true;
      case wire::AttributeField::kInt:
        return take(r, parts.i);
      case wire::AttributeField::kString:
        return take(r, parts.s);
      case wire::AttributeField::kFloats:
        return take_floats(r, parts.floats);
      case wire::AttributeField::kInts:
        return take_integers(r, parts.ints);
      case wire::AttributeField::kStrings:
        if (!is_bytes(r)) return false;
        parts.strings.push_back(r.get_string());
        return true;
      case wire::AttributeField::kTensor:
      case wire::AttributeField::kTensors:
        if (!is_bytes(r)) return false;
        parts.tensors.push_back(std::make_shared<Constant>(read_tensor(r.get_message(), source())));
        return true;
      case wire::AttributeField::kGraph:
      case wire::AttributeField::kGraphs:
        if (!is_bytes(r)) return false;
        parts.graphs.push_back(std::make_shared<Graph>(read_graph(r.get_message(), depth + 1)));
        return true;
      default:
        return false;
    }
  }

  static AttributeValue finish_value(const std::string& name, uint32_t tag, AttributeParts parts) {
    const auto only = [&](auto& list, const char* what) {
      if (list.size() == 1) return std::move(list.front());
      throw Damage(
          fmt::format("attribute {} needs one {}, it has {}", quoted(name), what, list.size()));
    };
    switch (tag) {
      case wire::AttributeField::kFloat:
        return parts.f;
      case wire::AttributeField::kInt:
        return parts.i;
      case wire::AttributeField::kString:
        return std::move(parts.s);
      case wire::AttributeField::kTensor:
        return only(parts.tensors, "tensor");
      case wire::AttributeField::kGraph:
        return only(parts.graphs, "graph");
      case wire::AttributeField::kFloats:
        return std::move(parts.floats);
      case wire::AttributeField::kInts:
        return std::move(parts.ints);
      case wire::AttributeField::kStrings:
        return std::move(parts.strings);
      case wire::AttributeField::kTensors:
        return std::move(parts.tensors);
      default:
        return std::move(parts.graphs);
    }
  }

  TensorSource source() { return {file_, external_, budget_}; }

  const Bytes& file_;
  const ExternalData& external_;
  ItemBudget budget_;
};

}  // namespace

Model read_model(const Bytes& content, const ExternalData& external) {
  return ModelReader(content, external).read();
}

}  // namespace wattwise::model
