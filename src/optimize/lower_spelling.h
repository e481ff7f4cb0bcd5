// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "optimize/opset_adapters.h"

// Operators that older sets do not have, spelled out in ones that they do, by the definitions in
// the standard. The number is the set that brought the operator, or the meaning that is undone.
namespace wattwise::optimize {

Result<void> spell_constant_of_shape_9(const AdapterContext& context, model::Node& node);
Result<void> spell_celu_12(const AdapterContext& context, model::Node& node);
Result<void> spell_greater_or_equal_12(const AdapterContext& context, model::Node& node);
Result<void> spell_less_or_equal_12(const AdapterContext& context, model::Node& node);
Result<void> spell_softmax_13(const AdapterContext& context, model::Node& node);
Result<void> spell_hard_swish_14(const AdapterContext& context, model::Node& node);
Result<void> spell_cast_like_15(const AdapterContext& context, model::Node& node);
Result<void> spell_shape_15(const AdapterContext& context, model::Node& node);
Result<void> spell_layer_normalization_17(const AdapterContext& context, model::Node& node);
Result<void> spell_group_normalization_18(const AdapterContext& context, model::Node& node);
Result<void> spell_mish_18(const AdapterContext& context, model::Node& node);
Result<void> spell_gelu_20(const AdapterContext& context, model::Node& node);
Result<void> spell_group_normalization_21(const AdapterContext& context, model::Node& node);
Result<void> spell_rms_normalization_23(const AdapterContext& context, model::Node& node);
Result<void> spell_swish_24(const AdapterContext& context, model::Node& node);

}  // namespace wattwise::optimize
