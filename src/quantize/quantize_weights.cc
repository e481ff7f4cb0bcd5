// SPDX-License-Identifier: Apache-2.0
#include "quantize/quantize_weights.h"

#include <algorithm>
#include <array>
#include <limits>

#include "quantize/diagnose.h"
#include "quantize/float_products.h"
#include "quantize/integer_matmul.h"
#include "quantize/store_half.h"
#include "quantize/store_int8.h"

namespace wattwise::quantize {
namespace {

/// What 8 bits keep of weights without outliers is well above it.
constexpr double kPoorDb = 35;

constexpr std::array<std::string_view, 3> kRecurrent = {"LSTM", "GRU", "RNN"};

bool only_recurrent_layers_read(const Weight& weight) {
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
    weight.is_recurrent = only_recurrent_layers_read(weight);
    weight.fine_scales = weight.is_recurrent;
    (weight.is_recurrent ? recurrent : others) += weight.values().size();
  }
  if (2 * recurrent < others || recurrent == 0) return;
  for (Weight& weight : weights) weight.is_delicate = !weight.is_recurrent;
}

void note_shares(std::vector<Weight>& weights) {
  double total = 0;
  for (const Weight& weight : weights) total += static_cast<double>(weight.values().size());
  for (Weight& weight : weights) {
    weight.share = static_cast<double>(weight.values().size()) / total;
  }
}

/// Where the work on all weights stands.
struct WeightWork {
  const std::vector<Weight>& weights;
  const MethodOf& method_of;
  ModelEdits& edits;
  MethodOutcome& outcome;
  std::unordered_set<const Weight*> done;
  const StatisticsTable& known;
  RoundingSteps steps = {};  ///< of what calibration has seen
};

}  // namespace

void count_applied(MethodOutcome& outcome, std::string_view name, size_t count) {
  auto& applied = outcome.applied;
  auto it = std::find_if(applied.begin(), applied.end(),
                         [&](const AppliedOptimization& item) { return item.name == name; });
  if (it == applied.end()) it = applied.insert(it, {std::string(name), 0});
  it->node_count += static_cast<int64_t>(count);
}

void append(MethodOutcome& to, const MethodOutcome& from) {
  to.applied.insert(to.applied.end(), from.applied.begin(), from.applied.end());
  to.decisions.insert(to.decisions.end(), from.decisions.begin(), from.decisions.end());
  to.layers.insert(to.layers.end(), from.layers.begin(), from.layers.end());
}

std::vector<Weight> find_marked_weights(model::Model& model, const QuantizationConfig& config,
                                        std::vector<Decision>& decisions) {
  std::vector<Weight> weights = find_weights(model, decisions);
  mark_recurrent(weights);
  note_shares(weights);
  for (Weight& weight : weights) {
    if (config.weight_only_arithmetic == "float") weight.fine_scales = true;
    weight.range = weight_range(config);
    weight.one_scale = wants_one_scale(config);
    weight.techniques = Techniques(config);
    weight.int4 = int4_blocking(config);
  }
  keep_float_before_logarithms(model, weights, decisions);
  return weights;
}

const Weight* find_recurrence(const std::vector<Weight>& weights, const Weight& weight) {
  if (weight.keeps_float || weight.readers.size() != 1 || !weight.only_read_by("LSTM", 1)) {
    return nullptr;
  }
  const auto it = std::find_if(weights.begin(), weights.end(), [&](const Weight& other) {
    return other.readers.size() == 1 && other.readers[0].node == weight.readers[0].node &&
           other.readers[0].slot == 2;
  });
  return it == weights.end() || weight.readers[0].node->int_or("layout", 0) != 0 ? nullptr : &*it;
}

namespace {

/// A weight that nothing is done to.
LayerQuantization keep_float(const Weight& weight) {
  return {layer_name(weight), weight.name, "float", static_cast<int64_t>(weight.values().size()),
          decibels(1, 0)};
}

/// Names what hurts layers whose weights lost much.
void diagnose(const std::vector<Weight>& weights, const model::ConstantStore* store,
              std::vector<LayerQuantization>& layers) {
  for (LayerQuantization& layer : layers) {
    if (layer.weight_sqnr_db > kPoorDb) continue;
    const auto it = std::find_if(weights.begin(), weights.end(),
                                 [&](const Weight& weight) { return weight.name == layer.weight; });
    if (it == weights.end()) continue;
    layer.hurt_by = find_outlier_channel(*it);
    if (store) store->release_all();
  }
}

/// What one weight becomes; with it the recurrence of its LSTM, which is told to `done`.
LayerQuantization quantize_weight(size_t index, WeightWork& work) {
  const Weight& weight = work.weights[index];
  const WeightMethod* method = work.method_of(index);
  if (!method) return keep_float(weight);
  const Weight* recurrence =
      method->quantize_lstm ? find_recurrence(work.weights, weight) : nullptr;
  if (!recurrence) return method->quantize_one(weight, work.edits, work.outcome);
  work.done.insert(recurrence);
  return method->quantize_lstm(weight, *recurrence, work.edits, work.outcome);
}

/// A step of uint8 over the narrowest range of a sample.
double least_step(const InputStatistics& statistics) {
  double least = statistics.excerpts.empty() ? 0 : std::numeric_limits<double>::infinity();
  for (const auto& excerpt : statistics.excerpts) {
    const double low = *std::min_element(excerpt.low.begin(), excerpt.low.end());
    const double high = *std::max_element(excerpt.high.begin(), excerpt.high.end());
    least = std::min(least, (high - low) / 255);
  }
  return least;
}

/// Hands the matrices whose inputs calibration can see to those methods that use that.
Result<void> quantize_groups(const model::Model& model, const MethodContext& context,
                             WeightWork& work) {
  const auto method = [&](const Weight* weight) {
    return work.method_of(static_cast<size_t>(weight - work.weights.data()));
  };
  auto groups = group_matrices(model, work.weights, work.outcome.decisions);
  for (MatrixGroup& group : groups) {
    std::erase_if(group.weights, [&](const Weight* weight) {
      return !method(weight) || !method(weight)->quantize_group;
    });
  }
  std::erase_if(groups, [](const MatrixGroup& group) { return group.weights.empty(); });
  const auto visit = [&](const MatrixGroup& group, const InputStatistics& statistics) {
    work.steps[group.input.name] = least_step(statistics);
    for (const Weight* weight : group.weights) {
      method(weight)->quantize_group({group.input, {weight}}, statistics, work.edits, work.outcome);
    }
  };
  work.done = WATTWISE_TRY(visit_with_grams(model, groups, {context, work.known}, visit));
  return {};
}

Result<void> quantize_all(model::Model& model, const MethodContext& context, WeightWork& work) {
  const std::vector<Weight>& weights = work.weights;
  if (context.calibration && Techniques(context.config).need_inputs()) {
    WATTWISE_TRY(quantize_groups(model, context, work));
  }
  for (size_t i = 0; i < weights.size(); ++i) {
    WATTWISE_TRY(
        report_progress(context.progress, "quantizing weights",
                        0.3 + 0.3 * static_cast<double>(i) / static_cast<double>(weights.size())));
    if (work.done.contains(&weights[i])) continue;
    work.outcome.layers.push_back(quantize_weight(i, work));
    if (!model.store) continue;
    WATTWISE_TRY(model.store->status());
    model.store->release_all();
  }
  diagnose(weights, model.store.get(), work.outcome.layers);
  const size_t vectors = weights.empty() ? 0 : store_half_vectors(model, work.edits);
  if (vectors > 0) count_applied(work.outcome, "fp16_stored_vectors", vectors);
  work.edits.apply();
  WATTWISE_TRY(suit_integer_products(model, context, work.steps, work.outcome));
  model::remove_unused(model.graph);  // what others stand for now: biases, parts of a GELU
  return {};
}

}  // namespace

Result<MethodOutcome> quantize_weights(model::Model& model, const MethodContext& context,
                                       const WeightMethod& method, const StatisticsTable& known) {
  MethodOutcome outcome;
  auto weights = find_marked_weights(model, context.config, outcome.decisions);
  if (method.choose) WATTWISE_TRY(method.choose(model, weights, context, outcome));
  ModelEdits edits(model);
  const MethodOf method_of = [&](size_t) { return &method; };
  WeightWork work{weights, method_of, edits, outcome, {}, known};
  WATTWISE_TRY(quantize_all(model, context, work));
  return outcome;
}

Result<MethodOutcome> quantize_each(model::Model& model, const MethodContext& context,
                                    const MethodOf& method_of) {
  MethodOutcome outcome;
  const auto weights = find_marked_weights(model, context.config, outcome.decisions);
  ModelEdits edits(model);
  const StatisticsTable nothing;
  WeightWork work{weights, method_of, edits, outcome, {}, nothing};
  WATTWISE_TRY(quantize_all(model, context, work));
  return outcome;
}

}  // namespace wattwise::quantize
