// SPDX-License-Identifier: Apache-2.0
#include "input/fit.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "input/cast.h"
#include "input/ports.h"

namespace wattwise::input {
namespace {

bool dims_match(const std::vector<int64_t>& shape, const std::vector<int64_t>& wanted) {
  return std::equal(shape.begin(), shape.end(), wanted.begin(), wanted.end(),
                    [](int64_t have, int64_t want) { return want < 0 || want == have; });
}

/// The shape under which the port takes the tensor.
std::optional<std::vector<int64_t>> fitted_shape(const std::vector<int64_t>& shape,
                                                 const PortInfo& port) {
  if (dims_match(shape, port.shape)) return shape;
  const bool single = std::all_of(shape.begin(), shape.end(), [](int64_t dim) { return dim == 1; });
  if (port.shape.empty() && single) return port.shape;
  if (shape.size() + 1 != port.shape.size()) return std::nullopt;
  std::vector<int64_t> batched = shape;
  batched.insert(batched.begin(), 1);
  return dims_match(batched, port.shape) ? std::optional(batched) : std::nullopt;
}

bool is_whole(const Tensor& tensor) {
  const auto bits = data_type_bits(tensor.type);
  if (!bits) return static_cast<int64_t>(tensor.strings.size()) == tensor.element_count();
  return static_cast<int64_t>(tensor.data.size()) == (tensor.element_count() * *bits + 7) / 8;
}

}  // namespace

std::string describe_tensor(const Tensor& tensor) {
  return fmt::format("{} [{}]", data_type_name(tensor.type), fmt::join(tensor.shape, ", "));
}

bool shape_fits(const std::vector<int64_t>& shape, const PortInfo& port) {
  return fitted_shape(shape, port).has_value();
}

Result<FittedTensor> fit_tensor(const Tensor& tensor, const PortInfo& port) {
  auto shape = fitted_shape(tensor.shape, port);
  if (!shape || !is_whole(tensor)) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the input {} takes {}, not {}: pass an array of that shape",
                             port.name, describe_type(port), describe_tensor(tensor)));
  }
  FittedTensor fitted;
  if (tensor.type == port.type) {
    fitted.tensor = tensor;
  } else {
    auto cast = cast_tensor(tensor, port.type);
    if (!cast) return std::move(cast).error().with_context("input " + port.name);
    fitted.tensor = std::move(*cast);
    fitted.decisions.push_back({"cast", port.name,
                                fmt::format("the array is {}, the model takes {}",
                                            data_type_name(tensor.type), describe_type(port))});
  }
  fitted.tensor.shape = std::move(*shape);
  return fitted;
}

}  // namespace wattwise::input
