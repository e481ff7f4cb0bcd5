// SPDX-License-Identifier: Apache-2.0
#include "quantize/quantize_weights.h"

#include <algorithm>
#include <array>

#include "quantize/store_half.h"

namespace wattwise::quantize {
namespace {

constexpr std::array<std::string_view, 3> kRecurrent = {"LSTM", "GRU", "RNN"};

bool is_recurrent(const Weight& weight) {
  return std::all_of(weight.readers.begin(), weight.readers.end(), [](const WeightReader& reader) {
    return reader.node->is_standard() && std::find(kRecurrent.begin(), kRecurrent.end(),
                                                   reader.node->op_type) != kRecurrent.end();
  });
}

/// A recurrent layer carries errors of what feeds it from step to step. Where such layers hold a
/// third of the weights, 16 bits for the others cost little; their own weights get fine scales.
void mark_recurrent(std::vector<Weight>& weights) {
  size_t recurrent = 0;
  size_t others = 0;
  for (Weight& weight : weights) {
    weight.fine_scales = is_recurrent(weight);
    (weight.fine_scales ? recurrent : others) += weight.values().size();
  }
  if (2 * recurrent < others || recurrent == 0) return;
  for (Weight& weight : weights) weight.is_delicate = !weight.fine_scales;
}

void note_shares(std::vector<Weight>& weights) {
  double total = 0;
  for (const Weight& weight : weights) total += static_cast<double>(weight.values().size());
  for (Weight& weight : weights) {
    weight.share = static_cast<double>(weight.values().size()) / total;
  }
}

/// The other weight of the LSTM that alone reads this one as its input weight; null if this is none
/// such or the other has readers beside it.
const Weight* find_recurrence(const std::vector<Weight>& weights, const Weight& weight) {
  if (weight.readers.size() != 1 || !weight.only_read_by("LSTM", 1)) return nullptr;
  const auto it = std::find_if(weights.begin(), weights.end(), [&](const Weight& other) {
    return other.readers.size() == 1 && other.readers[0].node == weight.readers[0].node &&
           other.readers[0].slot == 2;
  });
  return it == weights.end() || weight.readers[0].node->int_or("layout", 0) != 0 ? nullptr : &*it;
}

}  // namespace

void count_applied(MethodOutcome& outcome, std::string_view name, size_t count) {
  auto& applied = outcome.applied;
  auto it = std::find_if(applied.begin(), applied.end(),
                         [&](const AppliedOptimization& item) { return item.name == name; });
  if (it == applied.end()) it = applied.insert(it, {std::string(name), 0});
  it->node_count += static_cast<int64_t>(count);
}

Result<MethodOutcome> quantize_weights(model::Model& model, const MethodContext& context,
                                       const WeightMethod& method) {
  MethodOutcome outcome;
  std::vector<Weight> weights = find_weights(model, outcome.decisions);
  mark_recurrent(weights);
  note_shares(weights);
  if (context.config.weight_only_arithmetic == "float") {
    for (Weight& weight : weights) weight.fine_scales = true;
  }
  if (method.choose) WATTWISE_TRY(method.choose(model, weights, context, outcome));
  ModelEdits edits(model);
  std::unordered_set<const Weight*> done;
  if (context.calibration && method.quantize_group) {
    const auto quantize = [&](const MatrixGroup& group, const InputStatistics& statistics) {
      method.quantize_group(group, statistics, edits, outcome);
    };
    const auto groups = group_matrices(model, weights, outcome.decisions);
    done = WATTWISE_TRY(visit_with_grams(model, groups, context, quantize));
  }
  for (size_t i = 0; i < weights.size(); ++i) {
    WATTWISE_TRY(
        report_progress(context.progress, "quantizing weights",
                        0.3 + 0.3 * static_cast<double>(i) / static_cast<double>(weights.size())));
    if (done.contains(&weights[i])) continue;
    const Weight* recurrence =
        method.quantize_lstm ? find_recurrence(weights, weights[i]) : nullptr;
    if (recurrence) done.insert(recurrence);
    outcome.layers.push_back(recurrence
                                 ? method.quantize_lstm(weights[i], *recurrence, edits, outcome)
                                 : method.quantize_one(weights[i], edits, outcome));
    if (!model.store) continue;
    WATTWISE_TRY(model.store->status());
    model.store->release_all();
  }
  const size_t vectors = weights.empty() ? 0 : store_half_vectors(model, edits);
  if (vectors > 0) count_applied(outcome, "fp16_stored_vectors", vectors);
  edits.apply();
  return outcome;
}

}  // namespace wattwise::quantize
