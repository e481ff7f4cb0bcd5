// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "wattwise/tensor.h"
#include "wattwise/types.h"

namespace wattwise::model {

struct Graph;
class ConstantStore;

/// Fields that this code does not know, as they stood in the file; written back unchanged.
using UnknownFields = std::string;

/// A constant tensor. Its bytes stay where they were read (a mapped file, an external data file)
/// or in an owned buffer; nothing is copied to look at it.
struct Constant {
  std::string name;
  DataType type = DataType::kUndefined;
  std::vector<int64_t> shape;
  /// Little-endian elements in raw layout (4-bit types packed two a byte), whatever field of the
  /// file held them. Empty for strings, whose values are in `strings`.
  Bytes data;
  std::vector<std::string> strings;
  std::string doc;
  UnknownFields unknown;

  int64_t element_count() const;
  /// As a Tensor whose elements can be read: it shares the bytes unless they lie where no element
  /// of their type may (files do not align them), and owns a copy then.
  Tensor tensor() const;
  /// As a Tensor that shares the bytes wherever they lie, for those who only pass it on.
  Tensor tensor_as_stored() const;
};

/// A Constant from a tensor, sharing its bytes.
Constant make_constant(std::string name, const Tensor& tensor);
/// A float constant that owns a copy.
Constant make_float_constant(std::string name, std::vector<int64_t> shape,
                             std::span<const float> values);
/// An int64 constant that owns a copy.
Constant make_int64_constant(std::string name, std::vector<int64_t> shape,
                             std::span<const int64_t> values);

/// Attribute kinds that are kept as the bytes of the file: sparse tensors, type protos, and
/// references to attributes of a function.
struct RawAttribute {
  std::string bytes;  ///< every field of AttributeProto except its name
};

using AttributeValue =
    std::variant<float, int64_t, std::string, std::shared_ptr<Constant>, std::shared_ptr<Graph>,
                 std::vector<float>, std::vector<int64_t>, std::vector<std::string>,
                 std::vector<std::shared_ptr<Constant>>, std::vector<std::shared_ptr<Graph>>,
                 RawAttribute>;
// The pointers are owned by the one attribute that holds them; shared_ptr only because variants
// of a recursive type must be copyable. Use clone() of graph_edit.h for a deep copy.

struct Attribute {
  std::string name;
  AttributeValue value;
  std::string doc;
  UnknownFields unknown;
};

struct Node {
  std::string name;
  std::string op_type;
  std::string domain;  ///< "" is ai.onnx
  std::string overload;
  std::vector<std::string> inputs;  ///< "" for an input left out
  std::vector<std::string> outputs;
  std::vector<Attribute> attributes;
  std::string doc;
  UnknownFields unknown;

  /// True for the standard domain, spelled "" or "ai.onnx".
  bool is_standard() const { return domain.empty() || domain == "ai.onnx"; }
  /// True if this is `op` of the standard domain.
  bool is(std::string_view op) const { return op_type == op && is_standard(); }
  /// True if this is one of these operators of the standard domain.
  bool is_one_of(std::span<const std::string_view> ops) const;
  /// True if an attribute holds a graph, as those of If, Loop and Scan do.
  bool holds_graphs() const;

  const Attribute* attribute(std::string_view attribute_name) const;
  Attribute* attribute(std::string_view attribute_name);
  int64_t int_or(std::string_view attribute_name, int64_t fallback) const;
  float float_or(std::string_view attribute_name, float fallback) const;
  std::string string_or(std::string_view attribute_name, std::string_view fallback) const;
  std::vector<int64_t> ints_or_empty(std::string_view attribute_name) const;
  void set_attribute(std::string attribute_name, AttributeValue value);
};

/// A dimension: fixed, named, or unknown (both empty).
struct Dimension {
  std::optional<int64_t> value;
  std::string name;
  UnknownFields unknown;  ///< the denotation among others
};

/// A declared value: graph input, output or value_info. Only dense tensor types are taken apart.
struct Value {
  std::string name;
  DataType type = DataType::kUndefined;
  std::optional<std::vector<Dimension>> shape;  ///< absent: rank unknown
  std::string raw_type;                         ///< a TypeProto that is no dense tensor, as it was
  UnknownFields type_unknown;                   ///< of the type itself: its denotation
  std::string doc;
  UnknownFields unknown;
  UnknownFields tensor_unknown = {};  ///< of the tensor type inside the type
  UnknownFields shape_unknown = {};   ///< of the shape inside the tensor type
};

/// A sparse initializer: only its name is taken out, for whoever asks where a value comes from.
struct SparseConstant {
  std::string name;
  std::string bytes;  ///< SparseTensorProto, kept as it was
};

/// One graph: the main one, or the body of an If, Loop or Scan.
struct Graph {
  std::string name;
  std::vector<Node> nodes;
  std::vector<Constant> initializers;
  std::vector<Value> inputs;
  std::vector<Value> outputs;
  std::vector<Value> value_info;
  std::string doc;
  UnknownFields unknown;  ///< quantization annotations and metadata among others
  std::vector<SparseConstant> sparse_initializers = {};
};

struct OpsetImport {
  std::string domain;
  int64_t version = 0;
  UnknownFields unknown = {};
};

/// A function that the file itself defines; its nodes are not taken apart.
struct Function {
  std::string bytes;  ///< FunctionProto, kept as it was
  std::string name = {};
  std::string domain = {};
  std::vector<std::string> op_types = {};  ///< of its nodes, in their order
};

/// A file that is mapped: its real path, and the time of its last change when it was.
struct SourceFile {
  std::string path;
  Bytes bytes;
  int64_t modified_ns = 0;
};

/// A whole model. Copies share constant bytes but not the structure of nodes' subgraphs: see
/// graph_edit.h, clone().
struct Model {
  int64_t ir_version = 0;
  std::vector<OpsetImport> opset_imports;
  std::string producer_name;
  std::string producer_version;
  std::string domain;
  int64_t model_version = 0;
  std::string doc;
  Graph graph;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<Function> functions;
  UnknownFields unknown;
  /// The mapped files that constants point into, the model's own first; none for one in memory.
  std::vector<SourceFile> sources;
  /// Where large constants that are made go; null: they stay in memory. Shared by copies of the
  /// model, whose constants point into it.
  std::shared_ptr<ConstantStore> store = nullptr;

  /// Version of `opset_domain` ("" for ai.onnx); 0 if it is not imported.
  int64_t opset(std::string_view opset_domain) const;
  /// Imports the domain at this version, or raises it to it.
  void require_opset(std::string_view opset_domain, int64_t version);
};

/// Element type and shape of one named value. -1 stands for an unknown dimension.
struct ValueShape {
  DataType type = DataType::kUndefined;
  std::vector<int64_t> shape;
};

/// What a runtime inferred about every value, by name; names of inner graphs included.
/// Made by engine, handed in: this module never asks a runtime.
using ShapeTable = std::map<std::string, ValueShape>;

}  // namespace wattwise::model
