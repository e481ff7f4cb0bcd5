// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "wattwise/result.h"
#include "wattwise/types.h"

namespace wattwise::input {

/// A tensor that a port takes, and what had to be done for it.
struct FittedTensor {
  Tensor tensor;
  std::vector<Decision> decisions;  ///< a cast
};

/// Casts to the port's type (cast.h), adds a batch axis of one where just that is missing, and
/// checks every fixed dimension. kInvalidArgument says what the port takes and what came.
Result<FittedTensor> fit_tensor(const Tensor& tensor, const PortInfo& port);

/// Whether the shape fits as it is or with a batch axis; types are not looked at.
bool shape_fits(const std::vector<int64_t>& shape, const PortInfo& port);

/// "uint8 [480, 640, 3]".
std::string describe_tensor(const Tensor& tensor);

}  // namespace wattwise::input
