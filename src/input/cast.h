// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "wattwise/result.h"
#include "wattwise/tensor.h"

namespace wattwise::input {

/// The same numbers as another type: any of bool, the integers, float16, float and double. Whole
/// numbers must fit exactly. Between float types values are rounded to the nearest, but must not
/// overflow. Otherwise kInvalidArgument with the first value that does not fit; kUnsupported for
/// other types.
Result<Tensor> cast_tensor(const Tensor& tensor, DataType type);

}  // namespace wattwise::input
