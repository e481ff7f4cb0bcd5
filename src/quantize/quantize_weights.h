// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "quantize/matrix_groups.h"
#include "quantize/weights.h"

namespace wattwise::quantize {

/// What a method does with weights. Each function returns the layer's record and counts in
/// `outcome.applied` how many nodes it touched.
struct WeightMethod {
  std::string_view name;
  LayerQuantization (*quantize_one)(const Weight& weight, ModelEdits& edits,
                                    MethodOutcome& outcome);
  /// For both weights of an `LSTM`, each read by nothing else; null: they are as any other.
  LayerQuantization (*quantize_lstm)(const Weight& input, const Weight& recurrence,
                                     ModelEdits& edits, MethodOutcome& outcome) = nullptr;
  /// Looks at all weights before the first is quantized and sets their may_take_4_bits or
  /// keeps_float; null: none.
  Result<void> (*choose)(const model::Model& model, std::vector<Weight>& weights,
                         const MethodContext& context, MethodOutcome& outcome) = nullptr;
  /// With calibration data, for matrices whose inputs it can see; null: they are as any other.
  void (*quantize_group)(const MatrixGroup& group, const InputStatistics& statistics,
                         ModelEdits& edits, MethodOutcome& outcome) = nullptr;
};

/// Runs the method over all weights, stores long vectors in 16 bits, reports progress, and applies
/// the edits. `known` are statistics with Gram matrices of what matrices multiply, as far as they
/// are at hand.
Result<MethodOutcome> quantize_weights(model::Model& model, const MethodContext& context,
                                       const WeightMethod& method,
                                       const StatisticsTable& known = {});

/// The same with a method for each weight, by its index in find_marked_weights(); null leaves it in
/// float. Both weights of an LSTM go by the first one's. No method's `choose` is asked.
using MethodOf = std::function<const WeightMethod*(size_t index)>;
Result<MethodOutcome> quantize_each(model::Model& model, const MethodContext& context,
                                    const MethodOf& method_of);

/// find_weights(), with what methods should know of them: which are delicate, which are worth fine
/// scales, and which are multiplied in float whatever the format, since a logarithm follows.
std::vector<Weight> find_marked_weights(model::Model& model, const QuantizationConfig& config,
                                        std::vector<Decision>& decisions);

/// The other weight of the LSTM that alone reads this one as its input weight; null if this is none
/// such or the other has readers beside it.
const Weight* find_recurrence(const std::vector<Weight>& weights, const Weight& weight);

/// Adds `count` to the entry of this name.
void count_applied(MethodOutcome& outcome, std::string_view name, size_t count);
/// Puts what `from` tells behind what `to` does.
void append(MethodOutcome& to, const MethodOutcome& from);

}  // namespace wattwise::quantize
