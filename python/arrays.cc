// SPDX-License-Identifier: Apache-2.0
#include "arrays.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "core/json.h"
#include "errors.h"

namespace nb = nanobind;

namespace wattwise::python {
namespace {

struct TypeName {
  const char* numpy;
  DataType type;
};

constexpr TypeName kTypes[] = {
    {"float32", DataType::kFloat}, {"float64", DataType::kDouble}, {"float16", DataType::kFloat16},
    {"int64", DataType::kInt64},   {"int32", DataType::kInt32},    {"int16", DataType::kInt16},
    {"int8", DataType::kInt8},     {"uint64", DataType::kUint64},  {"uint32", DataType::kUint32},
    {"uint16", DataType::kUint16}, {"uint8", DataType::kUint8},    {"bool", DataType::kBool}};

Tensor to_text_tensor(const nb::object& array, std::vector<int64_t> shape) {
  Tensor tensor;
  tensor.type = DataType::kString;
  tensor.shape = std::move(shape);
  for (const nb::handle item : array.attr("ravel")().attr("tolist")()) {
    tensor.strings.push_back(nb::cast<std::string>(nb::str(item)));
  }
  return tensor;
}

Tensor to_tensor(const nb::object& array) {
  const nb::object dtype = array.attr("dtype");
  const auto name = nb::cast<std::string>(dtype.attr("name"));
  Tensor tensor;
  for (const nb::handle dim : array.attr("shape")) tensor.shape.push_back(nb::cast<int64_t>(dim));
  const auto kind = nb::cast<std::string>(dtype.attr("kind"));
  if (kind == "U" || kind == "O") return to_text_tensor(array, std::move(tensor.shape));
  for (const TypeName& row : kTypes) {
    if (name == row.numpy) tensor.type = row.type;
  }
  if (tensor.type == DataType::kUndefined) {
    raise({ErrorCode::kInvalidArgument, "arrays of type " + name + " are not supported"});
  }
  const nb::object interface = array.attr("__array_interface__");
  const auto address = nb::cast<uintptr_t>(interface["data"][0]);
  const auto size = nb::cast<size_t>(array.attr("nbytes"));
  tensor.data = Bytes(hold(array), {reinterpret_cast<const std::byte*>(address), size});
  return tensor;
}

nb::object to_array(const std::string& name, const Tensor& tensor) {
  nb::list shape;
  for (const int64_t dim : tensor.shape) shape.append(dim);
  const nb::object numpy = nb::module_::import_("numpy");
  if (tensor.type == DataType::kString) {
    return numpy.attr("array")(nb::cast(tensor.strings), nb::arg("dtype") = "object")
        .attr("reshape")(shape);
  }
  const char* dtype = nullptr;
  for (const TypeName& row : kTypes) {
    if (tensor.type == row.type) dtype = row.numpy;
  }
  if (dtype == nullptr) {
    raise({ErrorCode::kUnsupported, "output \"" + name + "\" has a type that NumPy lacks"});
  }
  auto* held = new Bytes(tensor.data);
  const nb::capsule owner(held, [](void* p) noexcept { delete static_cast<Bytes*>(p); });
  auto* data = const_cast<std::byte*>(held->data());
  const size_t size = held->size();
  const nb::object flat =
      nb::cast(nb::ndarray<nb::numpy, uint8_t, nb::ndim<1>>(data, {size}, owner));
  return flat.attr("view")(dtype).attr("reshape")(shape);
}

}  // namespace

Held hold(nb::object object) {
  return {new nb::object(std::move(object)), [](nb::object* held) {
            if (!nb::is_alive()) return;  // the interpreter is gone, and its objects with it
            const nb::gil_scoped_acquire acquire;
            delete held;
          }};
}

InferenceInputs to_inputs(const nb::object& given) {
  InferenceInputs inputs;
  if (nb::isinstance<nb::dict>(given)) {
    for (const nb::handle item : given["batch"]) {
      inputs.batch.push_back(to_inputs(nb::borrow(item)));
    }
    return inputs;
  }
  for (const nb::handle pair : given) {
    const auto name = nb::cast<std::string>(pair[0]);
    const nb::object value = pair[1];
    if (nb::isinstance<nb::str>(value)) {
      inputs.values.emplace_back(name, nb::cast<std::string>(value));
    } else {
      inputs.values.emplace_back(name, to_tensor(value));
    }
  }
  return inputs;
}

nb::dict to_arrays(const TensorMap& outputs) {
  nb::dict arrays;
  for (const auto& [name, tensor] : outputs)
    arrays[valid_utf8(name).c_str()] = to_array(name, tensor);
  return arrays;
}

}  // namespace wattwise::python
