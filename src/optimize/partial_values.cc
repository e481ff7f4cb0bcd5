// SPDX-License-Identifier: Apache-2.0
#include "optimize/partial_values.h"

#include <algorithm>
#include <memory>
#include <string>
#include <unordered_map>

#include "model/walk.h"

namespace wattwise::optimize {
namespace {

template <typename T>
std::vector<Element> read_elements(const model::Constant& constant) {
  const Tensor tensor = constant.tensor();
  const auto values = tensor.values<T>();
  return {values.begin(), values.end()};
}

template <typename T>
Tensor write_elements(const PartialValue& value) {
  std::vector<T> elements;
  for (const Element& element : value.elements) elements.push_back(static_cast<T>(*element));
  return {value.type, value.shape, Bytes::copy_of(std::span<const T>(elements)), {}};
}

bool is_followed(DataType type) {
  return type == DataType::kInt64 || type == DataType::kInt32 || type == DataType::kBool;
}

/// All that a type and a shape tell: how many unknown elements there are.
std::optional<PartialValue> unknown_value(const model::ValueShape& known) {
  if (!is_followed(known.type)) return std::nullopt;
  int64_t count = 1;
  for (const int64_t dim : known.shape) {
    if (dim < 0 || dim > kMaxPartialElements) return std::nullopt;
    if ((count *= dim) > kMaxPartialElements) return std::nullopt;
  }
  return PartialValue{known.type, known.shape, std::vector<Element>(static_cast<size_t>(count))};
}

const PartialRule* find_rule(const model::Node& node) {
  if (!node.is_standard() || node.outputs.size() != 1) return nullptr;
  const auto rules = partial_rules();
  const auto rule = std::find_if(rules.begin(), rules.end(),
                                 [&](const PartialRule& row) { return row.op == node.op_type; });
  return rule == rules.end() ? nullptr : &*rule;
}

/// The values of one graph, and of the graphs around it.
struct Scope {
  const Scope* around;
  /// Every name that the graph defines; absent where the value is not followed.
  std::unordered_map<std::string, std::optional<PartialValue>> values;

  const PartialValue* find(const std::string& name) const {
    for (const Scope* scope = this; scope; scope = scope->around) {
      const auto it = scope->values.find(name);
      if (it != scope->values.end()) return it->second ? &*it->second : nullptr;
    }
    return nullptr;
  }
};

class Follower {
 public:
  Follower(const model::ShapeTable& shapes, int64_t opset,
           const std::function<void(model::Node&, const PartialValue&)>& visit)
      : shapes_(shapes), opset_(opset), visit_(visit) {}

  void follow(model::Graph& graph, const Scope* around) {
    Scope scope{around, {}};
    for (const model::Value& input : graph.inputs) scope.values[input.name];
    for (const model::Constant& constant : graph.initializers) {
      // An initializer that is an input too can be fed.
      if (!scope.values.contains(constant.name)) {
        scope.values[constant.name] = partial_value(constant);
      }
    }
    for (model::Node& node : graph.nodes) {
      follow_inner(node, scope);
      follow(node, scope);
    }
  }

 private:
  void follow(model::Node& node, Scope& scope) {
    for (const std::string& output : node.outputs) scope.values[output];
    if (node.is("Constant")) {
      const model::Attribute* attribute = node.attribute("value");
      const auto* held =
          attribute ? std::get_if<std::shared_ptr<model::Constant>>(&attribute->value) : nullptr;
      if (held) scope.values[node.outputs[0]] = partial_value(**held);
      return;
    }
    const PartialRule* rule = find_rule(node);
    if (!rule) return;
    auto result = rule->evaluate(operands(node, scope));
    if (!result || result->elements.size() > static_cast<size_t>(kMaxPartialElements)) return;
    const PartialValue& kept = *(scope.values[node.outputs[0]] = std::move(result));
    if (kept.is_known()) visit_(node, kept);
  }

  void follow_inner(model::Node& node, const Scope& scope) {
    for (model::Attribute& attribute : node.attributes) {
      if (auto* one = std::get_if<std::shared_ptr<model::Graph>>(&attribute.value)) {
        follow(**one, &scope);
      }
      auto* many = std::get_if<std::vector<std::shared_ptr<model::Graph>>>(&attribute.value);
      if (!many) continue;
      for (const auto& inner : *many) follow(*inner, &scope);
    }
  }

  Operands operands(const model::Node& node, const Scope& scope) const {
    Operands operands{node, opset_, {}, {}};
    for (const std::string& name : node.inputs) {
      const auto shape = shapes_.find(name);
      const PartialValue* value = name.empty() ? nullptr : scope.find(name);
      operands.shapes.push_back(shape == shapes_.end() ? nullptr : &shape->second);
      if (value) {
        operands.values.emplace_back(*value);
      } else if (shape != shapes_.end()) {
        operands.values.push_back(unknown_value(shape->second));
      } else {
        operands.values.emplace_back();
      }
    }
    return operands;
  }

  const model::ShapeTable& shapes_;
  int64_t opset_;
  const std::function<void(model::Node&, const PartialValue&)>& visit_;
};

}  // namespace

bool PartialValue::is_known() const {
  return std::all_of(elements.begin(), elements.end(),
                     [](const Element& element) { return element.has_value(); });
}

std::optional<std::vector<int64_t>> known_elements(const PartialValue* value) {
  if (!value || !value->is_known()) return std::nullopt;
  std::vector<int64_t> elements;
  for (const Element& element : value->elements) elements.push_back(*element);
  return elements;
}

std::optional<PartialValue> partial_value(const model::Constant& constant) {
  if (constant.element_count() > kMaxPartialElements) return std::nullopt;
  PartialValue value{constant.type, constant.shape, {}};
  if (constant.type == DataType::kInt64) {
    value.elements = read_elements<int64_t>(constant);
  } else if (constant.type == DataType::kInt32) {
    value.elements = read_elements<int32_t>(constant);
  } else if (constant.type == DataType::kBool) {
    value.elements = read_elements<uint8_t>(constant);
    for (Element& element : value.elements) element = *element != 0 ? 1 : 0;
  } else {
    return std::nullopt;
  }
  return value;
}

model::Constant to_constant(const PartialValue& value) {
  if (value.type == DataType::kBool) {
    return model::make_constant("", write_elements<uint8_t>(value));
  }
  return model::make_constant("", value.type == DataType::kInt32 ? write_elements<int32_t>(value)
                                                                 : write_elements<int64_t>(value));
}

void for_each_known(model::Model& model, const model::ShapeTable& shapes,
                    const std::function<void(model::Node&, const PartialValue&)>& visit) {
  const model::ConstantIndex index(model.graph);  // rewrites value_int and its kin as tensors
  Follower(shapes, model.opset(""), visit).follow(model.graph, nullptr);
}

int64_t fold_known(model::Model& model, const model::ShapeTable& shapes) {
  int64_t folded = 0;
  for_each_known(model, shapes, [&](model::Node& node, const PartialValue& value) {
    node.op_type = "Constant";
    node.inputs.clear();
    node.attributes.clear();
    node.set_attribute("value", std::make_shared<model::Constant>(to_constant(value)));
    ++folded;
  });
  return folded;
}

}  // namespace wattwise::optimize
