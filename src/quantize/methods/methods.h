// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "quantize/quantize_weights.h"

// One function per method, each in the file of its name.
namespace wattwise::quantize {

/// Changes after which methods are called what they are.
inline constexpr std::string_view kDynamicInt8 = "dynamic_int8";  ///< _matmul and _lstm
inline constexpr std::string_view kStatic = "static_";
inline constexpr std::string_view kStaticConvolution = "static_int8_convolution";
inline constexpr std::string_view kStaticOperator = "static_qdq_operator";
/// Followed by matmul, embedding or stored_weights.
inline constexpr std::string_view kInt4Prefix = "int4_";

Result<MethodOutcome> run_none(model::Model& model, const MethodContext& context);
Result<MethodOutcome> run_dynamic(model::Model& model, const MethodContext& context);
Result<MethodOutcome> run_static(model::Model& model, const MethodContext& context);
Result<MethodOutcome> run_weight_only(model::Model& model, const MethodContext& context);
Result<MethodOutcome> run_fp16(model::Model& model, const MethodContext& context);
Result<MethodOutcome> run_int4(model::Model& model, const MethodContext& context);

Result<MethodOutcome> run_mixed(model::Model& model, const MethodContext& context);

/// The first half of `static`: convolutions and what lies between them on integers where that pays;
/// the rest stays in float. Without such the outcome has no layers. Precondition: the context has
/// calibration data.
Result<MethodOutcome> quantize_operators(model::Model& model, const MethodContext& context);

// What four of them do with a weight, for `mixed`, which chooses among them for each.
extern const WeightMethod kHalfWeights;
extern const WeightMethod kDynamicWeights;
extern const WeightMethod kInt4Weights;
const WeightMethod& weight_only_weights(const model::Model& model,
                                        const QuantizationConfig& config);
/// Whether its matrices multiply in integers, as the configuration and the model's opset say.
bool multiplies_bytes(const model::Model& model, const QuantizationConfig& config);

}  // namespace wattwise::quantize
