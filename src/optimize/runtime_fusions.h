// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "optimize/graph_editor.h"

namespace wattwise::optimize {

/// Whether a multiplication or addition of a constant to this value belongs to a layer
/// normalization or a GELU in its spelled-out form. ONNX Runtime makes one kernel of those when it
/// loads a model, but only if it finds the form whole.
bool starts_fused_tail(const GraphEditor& graph, const std::string& value);

}  // namespace wattwise::optimize
