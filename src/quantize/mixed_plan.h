// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "quantize/formats.h"
#include "quantize/knapsack.h"
#include "quantize/quantize.h"

namespace wattwise::quantize {

/// A weight, or the two of an LSTM, that gets a format of its own.
struct MixedLayer {
  size_t index = 0;                  ///< in find_marked_weights()
  std::optional<size_t> recurrence;  ///< of the other weight
  std::vector<FormatOption> options;
  std::vector<double> noise;  ///< what each option is estimated to do to the outputs
  std::string hurt_by;        ///< why it loses more than others; "" where it does not
};

/// Everything that `mixed` knows before it makes a file.
struct MixedPlan {
  model::Model model;    ///< what formats are given to: with calibration data, inputs smoothed
  MethodOutcome before;  ///< what was done to it, and what was measured
  std::vector<MixedLayer> layers;
  /// Formats of all layers, the cheapest first: by estimated time, or by bytes where the objective
  /// is size. Each is the cheapest for its noise.
  std::vector<KnapsackChoice> choices;
};

/// Measures what each layer may lose on the context's samples, all at once, and weighs the formats.
/// Without samples, and for a model without float outputs, errors of all layers count alike.
Result<MixedPlan> plan_mixed(const model::Model& model, const MethodContext& context);

/// The same for what `static` leaves in float. Absent without calibration data and where integers
/// pay for no convolution.
Result<std::optional<MixedPlan>> plan_mixed_static(const model::Model& model,
                                                   const MethodContext& context);

/// Writes one of the plan's choices into a copy of the plan's model.
Result<MethodOutcome> write_mixed(model::Model& model, const MixedPlan& plan,
                                  const KnapsackChoice& choice, const MethodContext& context);

/// Fills in which share of the output's error each layer of the outcome makes, as estimated and as
/// measured with the formats of the choice, and puts the layers in that order, the worst first.
Result<void> rank_layers(const MixedPlan& plan, const KnapsackChoice& choice,
                         const MethodContext& context, MethodOutcome& outcome);

}  // namespace wattwise::quantize
