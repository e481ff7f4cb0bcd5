// SPDX-License-Identifier: Apache-2.0
#include "quantize/choose_int4.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "quantize/kernels.h"
#include "quantize/noise.h"
#include "quantize/store_int4.h"
#include "quantize/store_int8.h"

namespace wattwise::quantize {
namespace {

constexpr double kWorthMeasuringShare = 0.01;
/// Fewer weights save fewer bytes than the nodes that unpack them take.
constexpr size_t kWorthUnpacking = 4096;
/// What the outputs may lose by all of them together, as a share of their variance: 16 dB are left.
constexpr double kMostNoise = 0.025;

/// Why a weight takes 8 bits whatever 4 would do; "" if it may take 4.
std::string int4_obstacle(const model::Model& model, const Weight& weight) {
  if (model.opset("") < kInt4StorageOpset) return "the operator set has no shifts to unpack 4 bits";
  if (weight.is_delicate || weight.is_recurrent) {
    return "what 4 bits lose of it would add up in the state of recurrent layers";
  }
  if (weight.keeps_float) return "a logarithm follows, which would enlarge what 4 bits lose of it";
  if (!has_int4_blocks(weight)) return "its rows cannot be cut in blocks of 16";
  return weight.values().size() < kWorthUnpacking ? "it is too small for 4 bits to save bytes" : "";
}

void tell(const Weight& weight, const std::string& why, MethodOutcome& outcome) {
  const char* action = weight.may_take_4_bits ? "quantize_int4" : "quantize_int8";
  outcome.decisions.push_back(
      {action, weight.name, weight.readers.front().node->op_type + " reads it; " + why});
}

void choose_by_share(const std::vector<Weight*>& candidates, MethodOutcome& outcome) {
  for (Weight* weight : candidates) {
    weight->may_take_4_bits = weight->share >= kWorthwhileShare;
    tell(*weight, fmt::format("it has {:.1f} % of the weights", weight->share * 100), outcome);
  }
}

Result<void> choose_by_noise(const model::Model& model, const std::vector<Weight*>& candidates,
                             const MethodContext& context, MethodOutcome& outcome) {
  std::vector<model::Constant> replacements;
  for (const Weight* weight : candidates) replacements.push_back(after_int4(*weight));
  const auto noise = WATTWISE_TRY(
      measure_replacements(model, replacements, *context.calibration, context.progress));
  if (noise.empty()) {
    choose_by_share(candidates, outcome);
    return {};
  }
  std::vector<size_t> order(candidates.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto price = [&](size_t i) { return noise[i] / candidates[i]->share; };
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return price(a) < price(b); });
  double total = 0;
  for (const size_t i : order) {
    Weight& weight = *candidates[i];
    weight.may_take_4_bits = total + noise[i] <= kMostNoise;
    if (weight.may_take_4_bits) total += noise[i];
    tell(weight,
         fmt::format(
             "it has {:.1f} % of the weights; SQNR of the outputs with it alone in 4 bits: {}",
             weight.share * 100, format_decibels(decibels(1, noise[i]))),
         outcome);
  }
  return {};
}

}  // namespace

Result<void> choose_int4(const model::Model& model, std::vector<Weight>& weights,
                         const MethodContext& context, MethodOutcome& outcome) {
  const bool measured = context.calibration && !model.store;
  std::vector<Weight*> candidates;
  for (Weight& weight : weights) {
    if (is_matrix(weight) || is_embedding(weight)) continue;
    const std::string why = int4_obstacle(model, weight);
    const bool is_seen = !measured || weight.graph == &model.graph;
    if (why.empty() && is_seen && (!measured || weight.share >= kWorthMeasuringShare)) {
      candidates.push_back(&weight);
    } else {
      tell(weight, !why.empty() ? why : "4 bits would save little of the model", outcome);
    }
  }
  if (!measured) {
    choose_by_share(candidates, outcome);
    return {};
  }
  return choose_by_noise(model, candidates, context, outcome);
}

}  // namespace wattwise::quantize
