// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "quantize/quantize.h"

// One function per method, each in the file of its name.
namespace wattwise::quantize {

/// Changes after which methods are called what they are.
inline constexpr std::string_view kDynamic = "dynamic_int8";  ///< _matmul and _lstm
inline constexpr std::string_view kStaticConvolution = "static_int8_convolution";
inline constexpr std::string_view kInt4 = "int4_";  ///< _matmul, _embedding and _stored_weights

Result<MethodOutcome> run_none(model::Model& model, const MethodContext& context);
Result<MethodOutcome> run_dynamic(model::Model& model, const MethodContext& context);
Result<MethodOutcome> run_static(model::Model& model, const MethodContext& context);
Result<MethodOutcome> run_weight_only(model::Model& model, const MethodContext& context);
Result<MethodOutcome> run_fp16(model::Model& model, const MethodContext& context);
Result<MethodOutcome> run_int4(model::Model& model, const MethodContext& context);

}  // namespace wattwise::quantize
