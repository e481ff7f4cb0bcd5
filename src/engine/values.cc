// SPDX-License-Identifier: Apache-2.0
#include "engine/values.h"

#include <fmt/format.h>

namespace wattwise::engine {
namespace {

std::string show_shape(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

Result<MemoryInfoPtr> cpu_memory() {
  OrtMemoryInfo* info = nullptr;
  WATTWISE_TRY(check(ort_api().CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &info),
                     "describe", "CPU memory"));
  return MemoryInfoPtr(info);
}

Result<ValuePtr> wrap_strings(const Tensor& tensor, const std::string& name) {
  OrtAllocator* allocator = nullptr;
  WATTWISE_TRY(check(ort_api().GetAllocatorWithDefaultOptions(&allocator), "allocate", name));
  OrtValue* raw = nullptr;
  WATTWISE_TRY(
      check(ort_api().CreateTensorAsOrtValue(allocator, tensor.shape.data(), tensor.shape.size(),
                                             ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, &raw),
            "make a tensor for", name));
  ValuePtr value(raw);
  std::vector<const char*> texts;
  for (const std::string& text : tensor.strings) texts.push_back(text.c_str());
  WATTWISE_TRY(
      check(ort_api().FillStringTensor(value.get(), texts.data(), texts.size()), "fill", name));
  return value;
}

Result<std::vector<std::string>> read_strings(const OrtValue* value, size_t count,
                                              const std::string& name) {
  std::vector<std::string> out;
  for (size_t i = 0; i < count; ++i) {
    size_t length = 0;
    WATTWISE_TRY(check(ort_api().GetStringTensorElementLength(value, i, &length), "read", name));
    std::string text(length, '\0');
    WATTWISE_TRY(
        check(ort_api().GetStringTensorElement(value, length, i, text.data()), "read", name));
    out.push_back(std::move(text));
  }
  return out;
}

}  // namespace

std::string describe_port(const PortInfo& port) {
  std::vector<std::string> dims;
  for (size_t i = 0; i < port.shape.size(); ++i) {
    const bool free = port.shape[i] < 0;
    dims.push_back(!free                       ? std::to_string(port.shape[i])
                   : port.dim_names[i].empty() ? "?"
                                               : port.dim_names[i]);
  }
  return fmt::format("{} {}[{}]", port.name, data_type_name(port.type), fmt::join(dims, ", "));
}

std::string describe_tensor(const std::string& name, const Tensor& tensor) {
  return fmt::format("{} {}{}", name, data_type_name(tensor.type), show_shape(tensor.shape));
}

Result<void> check_fit(const PortInfo& port, const Tensor& tensor) {
  bool fits = port.type == tensor.type && port.shape.size() == tensor.shape.size();
  for (size_t i = 0; fits && i < port.shape.size(); ++i) {
    fits = port.shape[i] < 0 || port.shape[i] == tensor.shape[i];
  }
  const auto bits = data_type_bits(tensor.type);
  const auto bytes =
      bits ? (static_cast<size_t>(tensor.element_count()) * static_cast<size_t>(*bits) + 7) / 8 : 0;
  const bool filled = !bits || tensor.data.size() == bytes;
  if (fits && filled) return {};
  if (fits) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the input {} of shape {} holds {} bytes, not {}", port.name,
                             show_shape(tensor.shape), tensor.data.size(), bytes));
  }
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("the input must be {}, it is {}{}", describe_port(port),
                           data_type_name(tensor.type), show_shape(tensor.shape)));
}

Result<ValuePtr> wrap_tensor(const Tensor& tensor, const std::string& name) {
  if (tensor.type == DataType::kString) return wrap_strings(tensor, name);
  const MemoryInfoPtr memory = WATTWISE_TRY(cpu_memory());
  OrtValue* value = nullptr;
  // ONNX Runtime takes inputs through a mutable pointer but never writes to them.
  auto* data = const_cast<std::byte*>(tensor.data.data());
  WATTWISE_TRY(
      check(ort_api().CreateTensorWithDataAsOrtValue(
                memory.get(), data, tensor.data.size(), tensor.shape.data(), tensor.shape.size(),
                static_cast<ONNXTensorElementDataType>(tensor.type), &value),
            "take the tensor", name));
  return ValuePtr(value);
}

Result<Tensor> unwrap_value(ValuePtr value, const std::string& name) {
  int is_tensor = 0;
  WATTWISE_TRY(check(ort_api().IsTensor(value.get(), &is_tensor), "look at", name));
  if (is_tensor == 0) {
    return Error(
        ErrorCode::kUnsupported,
        fmt::format("the output {} is no tensor; sequences and maps are not supported", name));
  }
  OrtTensorTypeAndShapeInfo* raw = nullptr;
  WATTWISE_TRY(check(ort_api().GetTensorTypeAndShape(value.get(), &raw), "look at", name));
  const ShapeInfoPtr info(raw);
  ONNXTensorElementDataType type{};
  size_t rank = 0;
  size_t count = 0;
  WATTWISE_TRY(check(ort_api().GetTensorElementType(info.get(), &type), "look at", name));
  WATTWISE_TRY(check(ort_api().GetDimensionsCount(info.get(), &rank), "look at", name));
  WATTWISE_TRY(check(ort_api().GetTensorShapeElementCount(info.get(), &count), "look at", name));
  Tensor tensor;
  tensor.type = static_cast<DataType>(type);
  tensor.shape.resize(rank);
  WATTWISE_TRY(
      check(ort_api().GetDimensions(info.get(), tensor.shape.data(), rank), "look at", name));
  if (tensor.type == DataType::kString) {
    tensor.strings = WATTWISE_TRY(read_strings(value.get(), count, name));
    return tensor;
  }
  void* data = nullptr;
  WATTWISE_TRY(check(ort_api().GetTensorMutableData(value.get(), &data), "read", name));
  const size_t bits = static_cast<size_t>(data_type_bits(tensor.type).value_or(0));
  const std::span<const std::byte> view(static_cast<const std::byte*>(data),
                                        (count * bits + 7) / 8);
  // The tensor's bytes belong to the value, which every copy of the tensor keeps alive.
  tensor.data = Bytes(std::shared_ptr<OrtValue>(std::move(value)), view);
  return tensor;
}

}  // namespace wattwise::engine
