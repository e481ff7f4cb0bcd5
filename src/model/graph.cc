// SPDX-License-Identifier: Apache-2.0
#include "model/graph.h"

#include <algorithm>
#include <utility>

namespace wattwise::model {

int64_t Constant::element_count() const { return tensor_as_stored().element_count(); }

Tensor Constant::tensor() const {
  const auto alignment = static_cast<uintptr_t>(data_type_bits(type).value_or(8) / 8);
  if (alignment < 2 || reinterpret_cast<uintptr_t>(data.data()) % alignment == 0) {
    return tensor_as_stored();
  }
  return {type, shape, Bytes::copy_of(data.view()), strings};
}

Tensor Constant::tensor_as_stored() const { return {type, shape, data, strings}; }

Constant make_constant(std::string name, const Tensor& tensor) {
  Constant constant;
  constant.name = std::move(name);
  constant.type = tensor.type;
  constant.shape = tensor.shape;
  constant.data = tensor.data;
  constant.strings = tensor.strings;
  return constant;
}

Constant make_float_constant(std::string name, std::vector<int64_t> shape,
                             std::span<const float> values) {
  return make_constant(std::move(name), make_float_tensor(std::move(shape), values));
}

Constant make_int64_constant(std::string name, std::vector<int64_t> shape,
                             std::span<const int64_t> values) {
  return make_constant(std::move(name), make_int64_tensor(std::move(shape), values));
}

bool Node::is_one_of(std::span<const std::string_view> ops) const {
  return is_standard() && std::find(ops.begin(), ops.end(), op_type) != ops.end();
}

bool Node::holds_graphs() const {
  return std::any_of(attributes.begin(), attributes.end(), [](const Attribute& attribute) {
    return std::holds_alternative<std::shared_ptr<Graph>>(attribute.value) ||
           std::holds_alternative<std::vector<std::shared_ptr<Graph>>>(attribute.value);
  });
}

const Attribute* Node::attribute(std::string_view attribute_name) const {
  const auto it = std::find_if(attributes.begin(), attributes.end(),
                               [&](const Attribute& a) { return a.name == attribute_name; });
  return it == attributes.end() ? nullptr : &*it;
}

Attribute* Node::attribute(std::string_view attribute_name) {
  return const_cast<Attribute*>(std::as_const(*this).attribute(attribute_name));
}

namespace {

template <typename T>
const T* value_of(const Node& node, std::string_view name) {
  const Attribute* attribute = node.attribute(name);
  return attribute ? std::get_if<T>(&attribute->value) : nullptr;
}

}  // namespace

int64_t Node::int_or(std::string_view attribute_name, int64_t fallback) const {
  const auto* value = value_of<int64_t>(*this, attribute_name);
  return value ? *value : fallback;
}

float Node::float_or(std::string_view attribute_name, float fallback) const {
  const auto* value = value_of<float>(*this, attribute_name);
  return value ? *value : fallback;
}

std::string Node::string_or(std::string_view attribute_name, std::string_view fallback) const {
  const auto* value = value_of<std::string>(*this, attribute_name);
  return value ? *value : std::string(fallback);
}

std::vector<int64_t> Node::ints_or_empty(std::string_view attribute_name) const {
  const auto* value = value_of<std::vector<int64_t>>(*this, attribute_name);
  return value ? *value : std::vector<int64_t>();
}

void Node::set_attribute(std::string attribute_name, AttributeValue value) {
  if (Attribute* existing = attribute(attribute_name)) {
    existing->value = std::move(value);
    return;
  }
  attributes.push_back({std::move(attribute_name), std::move(value), "", ""});
}

namespace {

/// The standard operators have two names.
std::string_view standard_domain(std::string_view domain) {
  return domain == "ai.onnx" ? std::string_view() : domain;
}

}  // namespace

int64_t Model::opset(std::string_view opset_domain) const {
  const auto same = [&](const OpsetImport& import) {
    return standard_domain(import.domain) == opset_domain;
  };
  const auto it = std::find_if(opset_imports.begin(), opset_imports.end(), same);
  return it == opset_imports.end() ? 0 : it->version;
}

void Model::require_opset(std::string_view opset_domain, int64_t version) {
  for (OpsetImport& import : opset_imports) {
    if (standard_domain(import.domain) != opset_domain) continue;
    import.version = std::max(import.version, version);
    return;
  }
  opset_imports.push_back({std::string(opset_domain), version});
}

}  // namespace wattwise::model
