// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

// Field numbers of onnx-ml.proto (onnx 1.19), by message; what is not listed is kept as unknown.
namespace wattwise::model::wire {

struct ModelField {
  enum : uint32_t {
    kIrVersion = 1,
    kProducerName = 2,
    kProducerVersion = 3,
    kDomain = 4,
    kModelVersion = 5,
    kDoc = 6,
    kGraph = 7,
    kOpsetImport = 8,
    kMetadata = 14,
    kFunctions = 25
  };
};

struct PairField {  // OperatorSetIdProto and StringStringEntryProto
  enum : uint32_t { kFirst = 1, kSecond = 2 };
};

struct GraphField {
  enum : uint32_t {
    kNode = 1,
    kName = 2,
    kInitializer = 5,
    kDoc = 10,
    kInput = 11,
    kOutput = 12,
    kValueInfo = 13,
    kSparseInitializer = 15
  };
};

struct FunctionField {
  enum : uint32_t { kName = 1, kNode = 7, kDomain = 10 };
};

struct NodeField {
  enum : uint32_t {
    kInput = 1,
    kOutput = 2,
    kName = 3,
    kOpType = 4,
    kAttribute = 5,
    kDoc = 6,
    kDomain = 7,
    kOverload = 8
  };
};

struct AttributeField {
  enum : uint32_t {
    kName = 1,
    kFloat = 2,
    kInt = 3,
    kString = 4,
    kTensor = 5,
    kGraph = 6,
    kFloats = 7,
    kInts = 8,
    kStrings = 9,
    kTensors = 10,
    kGraphs = 11,
    kDoc = 13,
    kType = 20,
    kRefName = 21
  };
};

struct TensorField {
  enum : uint32_t {
    kDims = 1,
    kDataType = 2,
    kFloatData = 4,
    kInt32Data = 5,
    kStringData = 6,
    kInt64Data = 7,
    kName = 8,
    kRawData = 9,
    kDoubleData = 10,
    kUint64Data = 11,
    kDoc = 12,
    kExternalData = 13,
    kDataLocation = 14
  };
};

struct SparseField {
  enum : uint32_t { kValues = 1 };
};

struct ValueField {
  enum : uint32_t { kName = 1, kType = 2, kDoc = 3 };
};

struct TypeField {
  enum : uint32_t {
    kTensor = 1,
    kElemType = 1,
    kShape = 2,
    kDim = 1,
    kDimValue = 1,
    kDimParam = 2
  };
};

/// AttributeProto.AttributeType 1 to 10, in the order of AttributeValue's alternatives, hold their
/// values in fields 2 to 11.
constexpr int64_t kLastPlainAttributeType = 10;

/// The field of an attribute of this type; 0 for a type that is not taken apart.
constexpr uint32_t value_tag_of(int64_t type) {
  return type >= 1 && type <= kLastPlainAttributeType ? static_cast<uint32_t>(type) + 1 : 0;
}

constexpr bool holds_attribute_value(uint32_t tag) {
  return tag >= AttributeField::kFloat && tag <= AttributeField::kGraphs;
}

}  // namespace wattwise::model::wire
