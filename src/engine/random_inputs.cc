// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstring>

#include "core/half.h"
#include "engine/session.h"

namespace wattwise::engine {
namespace {

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): the
/// same numbers on every platform, which the standard library's distributions are not.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }
  /// In [-1, 1).
  double uniform() { return static_cast<double>(next() >> 11U) * 0x1.0p-52 - 1; }

 private:
  uint64_t state_;
};

/// Small enough to be a valid index into any vocabulary worth the name.
constexpr uint64_t kLargestId = 100;

/// What made-up inputs may take; a model that declares more wants real ones.
constexpr double kMaxBytes = 1e9;

/// kExhausted for a shape that no made-up input should have.
Result<void> check_size(const PortInfo& port, const Tensor& tensor) {
  double bytes = data_type_bits(port.type).value_or(8) / 8.0;
  for (const int64_t dim : tensor.shape) bytes *= static_cast<double>(dim);
  if (bytes <= kMaxBytes) return {};
  return Error(
      ErrorCode::kExhausted,
      fmt::format("a made-up input \"{}\" would take {:.3g} GB; pass samples of real inputs",
                  port.name, bytes / 1e9));
}

template <typename T, typename Make>
Bytes fill(int64_t count, const Make& make) {
  std::vector<T> values(static_cast<size_t>(count));
  for (T& value : values) value = static_cast<T>(make());
  return Bytes::copy_of(std::span<const T>(values));
}

/// Whole numbers: ids up to `largest` for arrays, 1 for scalars.
Result<Bytes> fill_port(const PortInfo& port, const Tensor& tensor, uint64_t largest,
                        Random& random) {
  const int64_t count = tensor.element_count();
  const bool scalar = tensor.shape.empty();
  const auto id = [&]() -> uint64_t {
    return scalar || largest < 2 ? std::min<uint64_t>(1, largest) : random.next() % largest + 1;
  };
  const auto real = [&] { return random.uniform(); };
  switch (port.type) {
    case DataType::kFloat:
      return fill<float>(count, real);
    case DataType::kDouble:
      return fill<double>(count, real);
    case DataType::kFloat16:
      return fill<uint16_t>(count,
                            [&] { return to_half(static_cast<float>(random.uniform())).bits; });
    case DataType::kInt64:
      return fill<int64_t>(count, id);
    case DataType::kInt32:
      return fill<int32_t>(count, id);
    case DataType::kUint8:
      return fill<uint8_t>(count, [&] { return random.next() & 0xffU; });
    case DataType::kInt8:
      return fill<int8_t>(count, id);
    case DataType::kBool:
      return fill<uint8_t>(count, [] { return 1; });
    default:
      return Error(
          ErrorCode::kUnsupported,
          fmt::format("no random values are made for the input {} of type {}; pass samples",
                      port.name, data_type_name(port.type)));
  }
}

}  // namespace

Result<TensorMap> make_random_inputs(const std::vector<PortInfo>& ports, const InputGuess& guess,
                                     uint64_t seed) {
  const auto& dimensions = guess.dimensions;
  TensorMap inputs;
  Random random(seed);
  for (const PortInfo& port : ports) {
    Tensor tensor{port.type, port.shape, {}, {}};
    for (size_t axis = 0; axis < tensor.shape.size(); ++axis) {
      if (tensor.shape[axis] >= 0) continue;
      auto found = dimensions.find(fmt::format("{}:{}", port.name, axis));
      if (found == dimensions.end()) found = dimensions.find(port.dim_names[axis]);
      tensor.shape[axis] = found == dimensions.end() ? 1 : found->second;
    }
    WATTWISE_TRY(check_size(port, tensor));
    const bool mask = port.name.find("mask") != std::string::npos;
    const bool types = port.name.find("type") != std::string::npos;
    const auto limit = guess.limits.find(port.name);
    uint64_t largest = mask || types ? 1 : kLargestId;
    if (limit != guess.limits.end()) {
      largest = std::min(largest, static_cast<uint64_t>(limit->second - 1));
    }
    tensor.data = WATTWISE_TRY(fill_port(port, tensor, largest, random));
    if (const auto value = guess.scalars.find(port.name); value != guess.scalars.end()) {
      tensor.data = port.type == DataType::kInt32 ? fill<int32_t>(1, [&] { return value->second; })
                                                  : fill<int64_t>(1, [&] { return value->second; });
    }
    if (types && port.type == DataType::kInt64) {
      tensor.data = Bytes::own(std::vector<std::byte>(tensor.data.size()));
    }
    inputs[port.name] = std::move(tensor);
  }
  return inputs;
}

}  // namespace wattwise::engine
