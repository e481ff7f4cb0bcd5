// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/progress.h"
#include "model/graph.h"
#include "quantize/calibrate.h"
#include "quantize/kernels.h"
#include "quantize/provider_operators.h"
#include "wattwise/config.h"
#include "wattwise/types.h"

namespace wattwise::quantize {

/// What the settings of section quantization say that are named alike.
WeightRange weight_range(const QuantizationConfig& config);
Int4Blocking int4_blocking(const QuantizationConfig& config);
bool wants_one_scale(const QuantizationConfig& config);

/// What becomes of products that integers are estimated to slow down.
enum class SlowProducts {
  kTake,   ///< integers all the same
  kTell,   ///< integers, and a warning
  kLeave,  ///< they stay in float
};

/// What a method is given.
struct MethodContext {
  const model::ShapeTable& shapes;
  const Progress& progress;
  QuantizationConfig config = {};
  const CalibrationData* calibration = nullptr;  ///< for methods that need it
  std::optional<int64_t> opset = {};             ///< no method may leave this operator set
  /// Inputs to measure errors on; made up where the caller gave none.
  const CalibrationData* samples = nullptr;
  ActivationForm activations = {};  ///< of `static`
  SlowProducts slow_products = SlowProducts::kTake;
};

/// What a method did to the model.
struct MethodOutcome {
  std::vector<AppliedOptimization> applied;
  std::vector<Decision> decisions;
  std::vector<LayerQuantization> layers;
};

/// One quantization method. Changes `model` in place; it may leave nothing changed, and then
/// `applied` is empty.
struct MethodRow {
  std::string_view name;
  std::string_view description;
  std::string_view scheme;  ///< for quantization_details
  /// How the names of those changes in `applied` begin that make the result deserve the method's
  /// name; without one the model has nothing for this method. "" where any change does.
  std::string_view essential;
  std::string_view lacking;  ///< what a model without such changes does not have, as a clause
  int weight_bits;           ///< 32 for none
  bool needs_calibration;
  double allowed_output_error;  ///< 1 - cosine that the parity test allows on its tiny models
  Result<MethodOutcome> (*run)(model::Model& model, const MethodContext& context);
};

/// Methods that this build can do. `auto` and `int8` are choices among them: see plan().
std::span<const MethodRow> method_table();

/// The row of `name`; kInvalidArgument names what can be used instead.
Result<const MethodRow*> find_method(std::string_view name);

/// The methods to try, best first, for a requested one; with the reasons.
struct Plan {
  std::vector<std::string> methods;  ///< rows of method_table(), the requested one first
  std::vector<Decision> decisions;   ///< why each was chosen and each loser lost
};

struct PlanRequest {
  std::string_view method;
  const QuantizationConfig& config;
  bool has_calibration_data;
};

/// Whether the objective is latency or energy.
bool wants_speed(const QuantizationConfig& config);

/// `auto` and `int8` leave slow products in float where speed is wanted; a method that was named
/// takes them, with a warning unless the result `is_timed`.
struct SpeedRequest {
  std::string_view method;
  bool is_timed;
};
SlowProducts slow_products(const SpeedRequest& request, const QuantizationConfig& config);

/// `auto` and `int8` become static where there is calibration data and convolutions to use it for,
/// then dynamic or weight-only, whichever is estimated to be faster; the configured fallback and
/// "none" follow. `auto` tries mixed once its first choice has failed.
Result<Plan> plan(const model::Model& model, const model::ShapeTable& shapes,
                  const PlanRequest& request);

}  // namespace wattwise::quantize
