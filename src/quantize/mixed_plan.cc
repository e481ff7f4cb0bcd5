// SPDX-License-Identifier: Apache-2.0
#include "quantize/mixed_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "model/graph_edit.h"
#include "quantize/diagnose.h"
#include "quantize/kernels.h"
#include "quantize/methods/methods.h"
#include "quantize/raise_opset.h"
#include "quantize/sensitivity.h"
#include "quantize/smooth_inputs.h"
#include "quantize/store_int4.h"

namespace wattwise::quantize {
namespace {

/// Partial choices that are kept while formats are weighed.
constexpr size_t kStates = 2048;
/// Choices in the plan: more would lie closer together than estimates are good for.
constexpr size_t kChoices = 64;
/// What a byte of the file is worth in ns of each inference, and the other way round: it decides
/// between formats that are alike otherwise.
constexpr double kNsOfByte = 0.005;
constexpr double kBytesOfNs = 0.001;
/// No layer is taken to do less than this part of what the one in the middle does: estimates err,
/// and samples may not reach every branch.
constexpr double kLeastShare = 0.1;
/// What 8-bit inputs are taken to lose where that cannot be measured: 45 dB below the products.
constexpr double kUnmeasuredInputs = 3e-5;
/// From these ratios on, inputs or limited pairs are what hurts.
constexpr double kInputsHurt = 2;
constexpr double kPairsHurt = 2;

double signal_of(const Weight& weight) {
  double sum = 0;
  for (const double value : weight.values()) sum += value * value;
  return sum;
}

double noise_of(const MixedLayer& layer, Format format) {
  for (const FormatOption& option : layer.options) {
    if (option.format == format) return option.noise;
  }
  return 0;
}

/// What the layer's 8-bit weights and inputs do to the outputs.
Sensitivity sensitivity_of(const MixedLayer& layer, const std::vector<Weight>& weights,
                           const std::vector<Sensitivity>& measured) {
  if (!measured.empty()) {
    Sensitivity sum = measured[layer.index];
    if (layer.recurrence) sum.weight += measured[*layer.recurrence].weight;
    return sum;
  }
  double signal = signal_of(weights[layer.index]);
  if (layer.recurrence) signal += signal_of(weights[*layer.recurrence]);
  const double noise = noise_of(layer, Format::kInt8);
  return {signal > 0 ? noise / signal : 0,
          may_read_bytes(weights[layer.index]) ? kUnmeasuredInputs : 0};
}

/// The noise of each option, from that of 8 bits: weights of a layer pass their errors on alike.
void estimate_noise(const Sensitivity& sensitivity, double noise_of_int8, MixedLayer& layer) {
  for (const FormatOption& option : layer.options) {
    const double ratio = noise_of_int8 > 0  ? option.noise / noise_of_int8
                         : option.noise > 0 ? 1
                                            : 0;
    layer.noise.push_back(ratio * sensitivity.weight + option.input_share * sensitivity.input);
  }
}

std::string find_cause(const MixedLayer& layer, const Weight& weight,
                       const Sensitivity& sensitivity) {
  if (sensitivity.input > kInputsHurt * sensitivity.weight) {
    return fmt::format(
        "range mismatch: what it multiplies loses {:.0f} times as much by 8 bits over its whole "
        "range as the weights do",
        sensitivity.input / std::max(sensitivity.weight, 1e-30));
  }
  if (std::string outlier = find_outlier_channel(weight); !outlier.empty()) return outlier;
  const double int8 = noise_of(layer, Format::kInt8);
  const double pairs = noise_of(layer, Format::kDynamic);
  if (int8 > 0 && pairs > kPairsHurt * int8) {
    return fmt::format(
        "saturation: pairs of large weights, limited so that 16-bit sums hold them, lose {:.1f} "
        "times as much",
        pairs / int8);
  }
  return "";
}

std::vector<MixedLayer> find_layers(const model::Model& model, const std::vector<Weight>& weights,
                                    const MethodContext& context) {
  const bool in_bytes = multiplies_bytes(model, context.config);
  std::vector<MixedLayer> layers;
  std::unordered_set<const Weight*> taken;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (taken.contains(&weights[i])) continue;
    const Weight* recurrence = find_recurrence(weights, weights[i]);
    MixedLayer layer;
    layer.index = i;
    if (recurrence) {
      taken.insert(recurrence);
      layer.recurrence = static_cast<size_t>(recurrence - weights.data());
    }
    layer.options = format_options({weights[i], recurrence, context.shapes, in_bytes});
    layers.push_back(std::move(layer));
  }
  return layers;
}

/// The lower of the two in the middle where there are two; 0 if nothing is positive.
double middle_of_positive(std::vector<double> values) {
  std::erase_if(values, [](double value) { return value <= 0; });
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Sensitivities as far as they can be measured, none of them nothing.
Result<std::vector<Sensitivity>> measure(const model::Model& model, const MethodContext& context,
                                         const std::vector<Weight>& weights,
                                         std::vector<Decision>& decisions) {
  if (!context.samples) return std::vector<Sensitivity>();
  const Disturbance disturbance = {
      [&](const Weight&, size_t i) { return format_errors(weights[i], Format::kInt8); },
      [](const Weight& weight, size_t) { return may_read_bytes(weight); }};
  SensitivityReport report =
      WATTWISE_TRY(measure_sensitivity(model, disturbance, *context.samples, context.progress));
  std::vector<double> of_weights;
  std::vector<double> of_inputs;
  for (const Sensitivity& one : report.weights) {
    of_weights.push_back(one.weight);
    of_inputs.push_back(one.input);
  }
  const double least_weight = kLeastShare * middle_of_positive(std::move(of_weights));
  const double middle_input = middle_of_positive(std::move(of_inputs));
  const double least_input = middle_input > 0 ? kLeastShare * middle_input : kUnmeasuredInputs;
  for (size_t i = 0; i < report.weights.size(); ++i) {
    Sensitivity& one = report.weights[i];
    one.weight = std::max(one.weight, least_weight);
    if (may_read_bytes(weights[i])) one.input = std::max(one.input, least_input);
  }
  if (!report.weights.empty()) {
    decisions.push_back(
        {"measure", "layers",
         fmt::format("errors of {} weights at once, told apart by their signs, on {} samples in {} "
                     "runs of the model",
                     report.weights.size(), report.samples, report.runs)});
  }
  return std::move(report.weights);
}

std::vector<KnapsackChoice> weigh(const std::vector<MixedLayer>& layers, bool by_size) {
  std::vector<std::vector<KnapsackOption>> items;
  for (const MixedLayer& layer : layers) {
    std::vector<KnapsackOption>& options = items.emplace_back();
    for (size_t i = 0; i < layer.options.size(); ++i) {
      const FormatOption& option = layer.options[i];
      const double cost =
          by_size ? option.bytes + kBytesOfNs * option.ns : option.ns + kNsOfByte * option.bytes;
      options.push_back({cost, layer.noise[i]});
    }
  }
  const std::vector<KnapsackChoice> all = best_choices(items, kStates);
  std::vector<KnapsackChoice> kept;
  const size_t count = std::min(all.size(), kChoices);
  for (size_t i = 0; i < count; ++i) {
    kept.push_back(all[count == 1 ? 0 : i * (all.size() - 1) / (count - 1)]);
  }
  return kept;
}

/// The format of every weight.
std::vector<Format> formats_of(const MixedPlan& plan, const KnapsackChoice& choice) {
  std::vector<Format> formats;
  const auto set = [&](size_t index, Format format) {
    formats.resize(std::max(formats.size(), index + 1), Format::kFloat);
    formats[index] = format;
  };
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const MixedLayer& layer = plan.layers[i];
    const Format format = layer.options[choice.picks[i]].format;
    set(layer.index, format);
    if (layer.recurrence) set(*layer.recurrence, format);
  }
  return formats;
}

const WeightMethod* method_of(Format format, const WeightMethod& weight_only) {
  switch (format) {
    case Format::kFloat:
      return nullptr;
    case Format::kHalf:
      return &kHalfWeights;
    case Format::kInt8:
      return &weight_only;
    case Format::kDynamic:
      return &kDynamicWeights;
    case Format::kInt4:
      return &kInt4Weights;
  }
  return nullptr;
}

Decision describe_mix(const MixedPlan& plan, const KnapsackChoice& choice) {
  std::map<Format, int> counts;
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    ++counts[plan.layers[i].options[choice.picks[i]].format];
  }
  std::string text;
  for (const auto& [format, count] : counts) {
    text += fmt::format("{}{} in {}", text.empty() ? "" : ", ", count, format_name(format));
  }
  return {"mix", "formats",
          fmt::format("layers: {}; estimated SQNR of the outputs: {}", text,
                      format_decibels(decibels(1, choice.noise)))};
}

/// What was done to a layer, and what the next noisier format would have cost.
std::string describe_format(const MixedLayer& layer, size_t pick, double whole) {
  const std::string_view format = format_name(layer.options[pick].format);
  const double own = layer.noise[pick];
  std::optional<size_t> next;
  for (size_t i = 0; i < layer.noise.size(); ++i) {
    if (layer.noise[i] > own && (!next || layer.noise[i] < layer.noise[*next])) next = i;
  }
  if (!next) return fmt::format("{}; every other format that it may take is more exact", format);
  return fmt::format("{}; {} would add {:.1f} % to the whole error", format,
                     format_name(layer.options[*next].format),
                     100 * (layer.noise[*next] - own) / std::max(whole, 1e-30));
}

/// What the layers make together with these formats, each measured.
Result<std::vector<double>> measure_layers(const MixedPlan& plan, const KnapsackChoice& choice,
                                           const MethodContext& context) {
  std::vector<double> noise;
  if (!context.samples) return noise;
  const std::vector<Format> formats = formats_of(plan, choice);
  std::vector<double> input_shares(formats.size(), 0);
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const MixedLayer& layer = plan.layers[i];
    input_shares[layer.index] = layer.options[choice.picks[i]].input_share;
  }
  model::Model marked = model::clone(plan.model);
  std::vector<Decision> told_when_written;
  const auto weights = find_marked_weights(marked, context.config, told_when_written);
  const Disturbance disturbance = {
      [&](const Weight&, size_t i) { return format_errors(weights[i], formats[i]); },
      [&](const Weight& weight, size_t i) {
        return input_shares[i] > 0 && may_read_bytes(weight);
      }};
  const SensitivityReport report = WATTWISE_TRY(
      measure_sensitivity(plan.model, disturbance, *context.samples, context.progress));
  if (report.weights.empty()) return noise;
  for (const MixedLayer& layer : plan.layers) {
    const Sensitivity& own = report.weights[layer.index];
    noise.push_back(own.weight + input_shares[layer.index] * own.input +
                    (layer.recurrence ? report.weights[*layer.recurrence].weight : 0));
  }
  return noise;
}

/// Plans formats for the plan's model.
Result<void> complete(MixedPlan& plan, const MethodContext& context) {
  // Where there are no shifts, 4 bits are stored in bytes, which only takes more room.
  [[maybe_unused]] const auto reached =
      raise_opset(plan.model, {kInt4StorageOpset, "shifts of integers"}, context, plan.before);
  if (context.calibration)
    append(plan.before, WATTWISE_TRY(smooth_inputs(plan.model, context)).outcome);
  std::vector<Decision> told_when_written;
  const auto weights = find_marked_weights(plan.model, context.config, told_when_written);
  plan.layers = find_layers(plan.model, weights, context);
  const auto measured = WATTWISE_TRY(measure(plan.model, context, weights, plan.before.decisions));
  for (MixedLayer& layer : plan.layers) {
    const Sensitivity sensitivity = sensitivity_of(layer, weights, measured);
    estimate_noise(sensitivity, noise_of(layer, Format::kInt8), layer);
    layer.hurt_by = find_cause(layer, weights[layer.index], sensitivity);
  }
  plan.choices = weigh(plan.layers, context.config.objective == "size");
  return {};
}

}  // namespace

Result<MixedPlan> plan_mixed(const model::Model& model, const MethodContext& context) {
  MixedPlan plan;
  plan.model = model::clone(model);
  WATTWISE_TRY(complete(plan, context));
  return plan;
}

Result<std::optional<MixedPlan>> plan_mixed_static(const model::Model& model,
                                                   const MethodContext& context) {
  if (!context.calibration) return std::optional<MixedPlan>();
  MixedPlan plan;
  plan.model = model::clone(model);
  plan.before = WATTWISE_TRY(quantize_operators(plan.model, context));
  if (plan.before.layers.empty()) return std::optional<MixedPlan>();
  WATTWISE_TRY(complete(plan, context));
  return std::optional(std::move(plan));
}

Result<MethodOutcome> write_mixed(model::Model& model, const MixedPlan& plan,
                                  const KnapsackChoice& choice, const MethodContext& context) {
  const std::vector<Format> formats = formats_of(plan, choice);
  const WeightMethod& weight_only = weight_only_weights(model, context.config);
  MethodOutcome outcome = WATTWISE_TRY(quantize_each(
      model, context, [&](size_t index) { return method_of(formats[index], weight_only); }));
  if (!outcome.applied.empty()) model.require_opset("com.microsoft", 1);
  outcome.decisions.push_back(describe_mix(plan, choice));
  append(outcome, plan.before);
  return outcome;
}

Result<void> rank_layers(const MixedPlan& plan, const KnapsackChoice& choice,
                         const MethodContext& context, MethodOutcome& outcome) {
  std::vector<Decision> told_when_written;
  model::Model model = model::clone(plan.model);
  const auto weights = find_weights(model, told_when_written);
  const auto measured = WATTWISE_TRY(measure_layers(plan, choice, context));
  double whole = 0;
  for (const double noise : measured) whole += noise;
  std::unordered_set<const LayerQuantization*> filled;
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const MixedLayer& layer = plan.layers[i];
    const size_t pick = choice.picks[i];
    const auto record = std::find_if(
        outcome.layers.begin(), outcome.layers.end(), [&](const LayerQuantization& one) {
          return one.weight == weights[layer.index].name && !filled.contains(&one);
        });
    if (record == outcome.layers.end()) continue;
    filled.insert(&*record);
    record->hurt_by = layer.hurt_by;
    record->action = describe_format(layer, pick, choice.noise);
    if (choice.noise > 0) {
      record->estimated_error_percent = 100 * layer.noise[pick] / choice.noise;
    }
    if (whole > 0) record->measured_error_percent = 100 * measured[i] / whole;
  }
  const auto rank = [](const LayerQuantization& layer) {
    return layer.measured_error_percent.value_or(layer.estimated_error_percent.value_or(-1));
  };
  std::stable_sort(
      outcome.layers.begin(), outcome.layers.end(),
      [&](const auto& first, const auto& second) { return rank(first) > rank(second); });
  return {};
}

}  // namespace wattwise::quantize
