// SPDX-License-Identifier: Apache-2.0
#include "model/writer.h"

#include <array>

#include "model/wire.h"

namespace wattwise::model {
namespace {

void add_nonempty(Rope& rope, uint32_t tag, const std::string& text) {
  if (!text.empty()) rope.add_text(tag, text);
}

void add_nonzero(Rope& rope, uint32_t tag, int64_t value) {
  if (value != 0) rope.add_varint(tag, static_cast<uint64_t>(value));
}

Rope write_pair(const std::string& key, const std::string& value) {
  Rope rope;
  rope.add_text(wire::PairField::kFirst, key);
  rope.add_text(wire::PairField::kSecond, value);
  return rope;
}

/// Writes a model; remembers which constants went to the data file.
class ModelWriter {
 public:
  explicit ModelWriter(const ExternalLayout* external) : external_(external) {}

  Rope write(const Model& model) const {
    Rope rope;
    add_nonzero(rope, wire::ModelField::kIrVersion, model.ir_version);
    add_nonempty(rope, wire::ModelField::kProducerName, model.producer_name);
    add_nonempty(rope, wire::ModelField::kProducerVersion, model.producer_version);
    add_nonempty(rope, wire::ModelField::kDomain, model.domain);
    add_nonzero(rope, wire::ModelField::kModelVersion, model.model_version);
    add_nonempty(rope, wire::ModelField::kDoc, model.doc);
    rope.add_message(wire::ModelField::kGraph, write_graph(model.graph));
    for (const OpsetImport& import : model.opset_imports) {
      Rope entry;
      entry.add_text(wire::PairField::kFirst, import.domain);
      entry.add_varint(wire::PairField::kSecond, static_cast<uint64_t>(import.version));
      entry.add_raw(import.unknown);
      rope.add_message(wire::ModelField::kOpsetImport, std::move(entry));
    }
    for (const auto& [key, value] : model.metadata) {
      rope.add_message(wire::ModelField::kMetadata, write_pair(key, value));
    }
    for (const Function& function : model.functions) {
      rope.add_text(wire::ModelField::kFunctions, function.bytes);
    }
    rope.add_raw(model.unknown);
    return rope;
  }

 private:
  Rope write_graph(const Graph& graph) const {
    Rope rope;
    for (const Node& node : graph.nodes) {
      rope.add_message(wire::GraphField::kNode, write_node(node));
    }
    add_nonempty(rope, wire::GraphField::kName, graph.name);
    for (const Constant& constant : graph.initializers) {
      rope.add_message(wire::GraphField::kInitializer, write_tensor(constant));
    }
    for (const SparseConstant& constant : graph.sparse_initializers) {
      rope.add_text(wire::GraphField::kSparseInitializer, constant.bytes);
    }
    add_nonempty(rope, wire::GraphField::kDoc, graph.doc);
    const std::array<std::pair<uint32_t, const std::vector<Value>*>, 3> lists = {
        {{wire::GraphField::kInput, &graph.inputs},
         {wire::GraphField::kOutput, &graph.outputs},
         {wire::GraphField::kValueInfo, &graph.value_info}}};
    for (const auto& [tag, values] : lists) {
      for (const Value& value : *values) rope.add_message(tag, write_value(value));
    }
    rope.add_raw(graph.unknown);
    return rope;
  }

  Rope write_node(const Node& node) const {
    Rope rope;
    for (const std::string& name : node.inputs) rope.add_text(wire::NodeField::kInput, name);
    for (const std::string& name : node.outputs) rope.add_text(wire::NodeField::kOutput, name);
    add_nonempty(rope, wire::NodeField::kName, node.name);
    add_nonempty(rope, wire::NodeField::kOpType, node.op_type);
    for (const Attribute& attribute : node.attributes) {
      rope.add_message(wire::NodeField::kAttribute, write_attribute(attribute));
    }
    add_nonempty(rope, wire::NodeField::kDoc, node.doc);
    add_nonempty(rope, wire::NodeField::kDomain, node.domain);
    add_nonempty(rope, wire::NodeField::kOverload, node.overload);
    rope.add_raw(node.unknown);
    return rope;
  }

  Rope write_attribute(const Attribute& attribute) const {
    Rope rope;
    rope.add_text(wire::AttributeField::kName, attribute.name);
    if (const auto* raw = std::get_if<RawAttribute>(&attribute.value)) {
      rope.add_raw(raw->bytes);
      return rope;
    }
    std::visit([&](const auto& value) { write_value_of(rope, value); }, attribute.value);
    rope.add_varint(wire::AttributeField::kType, attribute.value.index() + 1);
    add_nonempty(rope, wire::AttributeField::kDoc, attribute.doc);
    rope.add_raw(attribute.unknown);
    return rope;
  }

  void write_value_of(Rope& rope, float value) const {
    rope.add_float(wire::AttributeField::kFloat, value);
  }
  void write_value_of(Rope& rope, int64_t value) const {
    rope.add_varint(wire::AttributeField::kInt, static_cast<uint64_t>(value));
  }
  void write_value_of(Rope& rope, const std::string& value) const {
    rope.add_text(wire::AttributeField::kString, value);
  }
  void write_value_of(Rope& rope, const std::shared_ptr<Constant>& value) const {
    rope.add_message(wire::AttributeField::kTensor, write_tensor(*value));
  }
  void write_value_of(Rope& rope, const std::shared_ptr<Graph>& value) const {
    rope.add_message(wire::AttributeField::kGraph, write_graph(*value));
  }
  void write_value_of(Rope& rope, const std::vector<float>& values) const {
    for (const float value : values) rope.add_float(wire::AttributeField::kFloats, value);
  }
  void write_value_of(Rope& rope, const std::vector<int64_t>& values) const {
    for (const int64_t value : values) {
      rope.add_varint(wire::AttributeField::kInts, static_cast<uint64_t>(value));
    }
  }
  void write_value_of(Rope& rope, const std::vector<std::string>& values) const {
    for (const auto& value : values) rope.add_text(wire::AttributeField::kStrings, value);
  }
  void write_value_of(Rope& rope, const std::vector<std::shared_ptr<Constant>>& values) const {
    for (const auto& value : values) {
      rope.add_message(wire::AttributeField::kTensors, write_tensor(*value));
    }
  }
  void write_value_of(Rope& rope, const std::vector<std::shared_ptr<Graph>>& values) const {
    for (const auto& value : values) {
      rope.add_message(wire::AttributeField::kGraphs, write_graph(*value));
    }
  }
  void write_value_of(Rope&, const RawAttribute&) const {}  // written before the visit

  Rope write_tensor(const Constant& constant) const {
    Rope rope;
    for (const int64_t dim : constant.shape) {
      rope.add_varint(wire::TensorField::kDims, static_cast<uint64_t>(dim));
    }
    rope.add_varint(wire::TensorField::kDataType, static_cast<uint64_t>(constant.type));
    add_nonempty(rope, wire::TensorField::kName, constant.name);
    for (const std::string& text : constant.strings) {
      rope.add_text(wire::TensorField::kStringData, text);
    }
    add_nonempty(rope, wire::TensorField::kDoc, constant.doc);
    write_elements(rope, constant);
    rope.add_raw(constant.unknown);
    return rope;
  }

  void write_elements(Rope& rope, const Constant& constant) const {
    const bool outside = external_ && external_->contains(&constant);
    if (!outside) {
      if (!constant.data.empty()) {
        rope.add_borrowed(wire::TensorField::kRawData, constant.data.view());
      } else if (data_type_bits(constant.type)) {
        rope.add_text(wire::TensorField::kRawData, "");
      }
      return;
    }
    const ExternalPlace& place = external_->at(&constant);
    const auto add = [&](const std::string& key, const std::string& value) {
      rope.add_message(wire::TensorField::kExternalData, write_pair(key, value));
    };
    add("location", place.file);
    add("offset", std::to_string(place.offset));
    add("length", std::to_string(constant.data.size()));
    rope.add_varint(wire::TensorField::kDataLocation, 1);
  }

  static Rope write_dimension(const Dimension& dimension) {
    Rope rope;
    if (dimension.value) {
      rope.add_varint(wire::TypeField::kDimValue, static_cast<uint64_t>(*dimension.value));
    } else {
      add_nonempty(rope, wire::TypeField::kDimParam, dimension.name);
    }
    rope.add_raw(dimension.unknown);
    return rope;
  }

  static Rope write_type(const Value& value) {
    Rope tensor;
    tensor.add_varint(wire::TypeField::kElemType, static_cast<uint64_t>(value.type));
    if (value.shape) {
      Rope shape;
      for (const Dimension& dimension : *value.shape) {
        shape.add_message(wire::TypeField::kDim, write_dimension(dimension));
      }
      shape.add_raw(value.shape_unknown);
      tensor.add_message(wire::TypeField::kShape, std::move(shape));
    }
    tensor.add_raw(value.tensor_unknown);
    Rope type;
    type.add_message(wire::TypeField::kTensor, std::move(tensor));
    type.add_raw(value.type_unknown);
    return type;
  }

  static Rope write_value(const Value& value) {
    Rope rope;
    rope.add_text(wire::ValueField::kName, value.name);
    if (!value.raw_type.empty()) {
      rope.add_text(wire::ValueField::kType, value.raw_type);
    } else if (value.type != DataType::kUndefined || value.shape) {
      rope.add_message(wire::ValueField::kType, write_type(value));
    }
    add_nonempty(rope, wire::ValueField::kDoc, value.doc);
    rope.add_raw(value.unknown);
    return rope;
  }

  const ExternalLayout* external_;
};

}  // namespace

Rope write_model(const Model& model, const ExternalLayout* external) {
  return ModelWriter(external).write(model);
}

}  // namespace wattwise::model
