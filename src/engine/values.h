// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "engine/ort.h"
#include "wattwise/types.h"

namespace wattwise::engine {

/// A value over the tensor's own memory, which must outlive it.
Result<ValuePtr> wrap_tensor(const Tensor& tensor, const std::string& name);
/// A tensor whose bytes are owned by the value.
Result<Tensor> unwrap_value(ValuePtr value, const std::string& name);

/// Whether the tensor fits the port; kInvalidArgument says what is expected and what came.
Result<void> check_fit(const PortInfo& port, const Tensor& tensor);
/// "name float[1, 3, h, w]"
std::string describe_port(const PortInfo& port);
/// "name float[1, 3, 224, 224]"
std::string describe_tensor(const std::string& name, const Tensor& tensor);

}  // namespace wattwise::engine
