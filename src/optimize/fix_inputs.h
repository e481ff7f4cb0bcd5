// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "model/graph.h"
#include "wattwise/result.h"
#include "wattwise/tensor.h"

namespace wattwise::optimize {

/// Values by name as a person writes them: "8000", "0.5", "true", "[1, 2, 3]".
using FixedInputs = std::map<std::string, std::string>;

/// The values of those names that are inputs of the model, in the inputs' types and shapes. A name
/// may also be a free dimension's; its value is then a size. kInvalidArgument for a name that is
/// neither, with the nearest one, and for a value that the input cannot take.
Result<TensorMap> fixed_tensors(const model::Model& model, const FixedInputs& fixed);

/// Makes the inputs constants, which are no inputs any more, and gives the free dimensions their
/// sizes. On error the model is unchanged.
Result<void> fix_inputs(model::Model& model, const FixedInputs& fixed);

}  // namespace wattwise::optimize
