// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "optimize/opset_adapters.h"

// What makes tensors larger or smaller, as older sets spell it. The number is the set whose change
// is undone.
namespace wattwise::optimize {

Result<void> lower_upsample_9(const AdapterContext& context, model::Node& node);
Result<void> lower_resize_10(const AdapterContext& context, model::Node& node);
Result<void> lower_resize_11(const AdapterContext& context, model::Node& node);
Result<void> lower_resize_13(const AdapterContext& context, model::Node& node);
Result<void> lower_pad_18(const AdapterContext& context, model::Node& node);
Result<void> lower_resize_18(const AdapterContext& context, model::Node& node);

}  // namespace wattwise::optimize
