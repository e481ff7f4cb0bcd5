// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "deploy/context.h"
#include "deploy/source.h"

namespace wattwise::deploy {

/// Spells the source's model in the operator set that it is to have, if any is asked for,
/// and tells so. It stands before the passes, which write nothing that the model's own set has not
/// got. kUnsupported, naming the node, if there is no such form, or if ONNX Runtime does not take
/// it or answers otherwise than the model did.
Result<void> reach_opset(Context& context, Source& source);

}  // namespace wattwise::deploy
