// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace wattwise::engine {

/// ONNX Runtime's message as one line for people: without its source files, line numbers, function
/// signatures and failed conditions, and with the node it speaks of in front.
///     "Non-zero status code returned while running Add node. Name:'a' Status Message: /x/ops.h:5
///     void onnxruntime::F(int) n == 1 was false. 3 by 4"  ->  "the Add node \"a\": 3 by 4"
std::string readable_message(std::string_view message);

}  // namespace wattwise::engine
