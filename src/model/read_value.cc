// SPDX-License-Identifier: Apache-2.0
#include "model/read_value.h"

#include "model/wire.h"

namespace wattwise::model {
namespace {

Dimension read_dimension(Reader message, ItemBudget& budget) {
  budget.take();
  Dimension dimension;
  for_each_field(message, dimension.unknown, [&](Reader& r) {
    if (r.tag() == wire::TypeField::kDimParam) return take(r, dimension.name);
    if (r.tag() != wire::TypeField::kDimValue || !is_varint(r)) return false;
    dimension.value = r.get_int64();
    return true;
  });
  // Some exporters write -1 for a size that they do not know.
  if (dimension.value && *dimension.value < 0) dimension.value.reset();
  return dimension;
}

void read_shape(Reader message, Value& value, ItemBudget& budget) {
  value.shape.emplace();
  for_each_field(message, value.shape_unknown, [&](Reader& r) {
    if (r.tag() != wire::TypeField::kDim || !is_bytes(r)) return false;
    value.shape->push_back(read_dimension(r.get_message(), budget));
    return true;
  });
}

void read_tensor_type(Reader message, Value& value, ItemBudget& budget) {
  for_each_field(message, value.tensor_unknown, [&](Reader& r) {
    if (r.tag() == wire::TypeField::kElemType && is_varint(r)) {
      value.type = static_cast<DataType>(r.get_int32());
      return true;
    }
    if (r.tag() != wire::TypeField::kShape || !is_bytes(r)) return false;
    read_shape(r.get_message(), value, budget);
    return true;
  });
}

/// Reads a TypeProto into `value`; false, with the value as before, for one that says nothing.
bool read_type(protozero::data_view bytes, Value& value, ItemBudget& budget) {
  Value typed;
  bool is_tensor = false;
  for_each_field(Reader(bytes), typed.type_unknown, [&](Reader& r) {
    if (r.tag() != wire::TypeField::kTensor || !is_bytes(r)) return false;
    is_tensor = true;
    read_tensor_type(r.get_message(), typed, budget);
    return true;
  });
  if (!is_tensor) {
    value.raw_type.assign(bytes.data(), bytes.size());
    return bytes.size() > 0;
  }
  if (typed.type == DataType::kUndefined && !typed.shape) return false;
  value.type = typed.type;
  value.shape = std::move(typed.shape);
  value.type_unknown = std::move(typed.type_unknown);
  value.tensor_unknown = std::move(typed.tensor_unknown);
  value.shape_unknown = std::move(typed.shape_unknown);
  return true;
}

}  // namespace

Value read_value(Reader message, ItemBudget& budget) {
  budget.take();
  Value value;
  for_each_field(message, value.unknown, [&](Reader& r) {
    if (r.tag() == wire::ValueField::kName) return take(r, value.name);
    if (r.tag() == wire::ValueField::kDoc) return take(r, value.doc);
    if (r.tag() != wire::ValueField::kType || !is_bytes(r)) return false;
    Reader copy = r;
    if (!read_type(copy.get_view(), value, budget)) return false;
    r.skip();
    return true;
  });
  return value;
}

}  // namespace wattwise::model
