// SPDX-License-Identifier: Apache-2.0
// int8 weights, activations quantized by ranges that calibration data shows.
//
//   Conv and what lies between them   works on uint8 where that saves time: see integer_plan.h;
//   everything else                   as `dynamic` does it.
//
// For a provider that wants it so, every operator that it knows between QuantizeLinear and
// DequantizeLinear: see qdq_plan.h.
//
// Weights obey the pair rule of kernels.h, so that processors without VNNI give the same answer,
// unless the caller wants the full range.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/text.h"
#include "model/graph_edit.h"
#include "quantize/effective_range.h"
#include "quantize/equalize_layers.h"
#include "quantize/integer_plan.h"
#include "quantize/integer_writer.h"
#include "quantize/methods/methods.h"
#include "quantize/noise.h"
#include "quantize/qdq_writer.h"
#include "quantize/raise_opset.h"
#include "quantize/store_int8.h"
#include "quantize/techniques.h"

namespace wattwise::quantize {
namespace {

/// The first operator set with scales per channel and bounds of Clip as bytes.
constexpr int64_t kOpset = 13;

/// Ten times the noise is worth as much as a quarter more time.
constexpr double kNoiseExponent = 0.1;
constexpr int kRounds = 6;

const RangeMethod& range_method(std::string_view name) {
  for (const RangeMethod& method : range_methods()) {
    if (method.name == name) return method;
  }
  return range_methods().front();
}

/// What calibration tells: ranges of the values that hold the bytes of others, and means of what
/// convolutions read, if a technique asks for them.
struct Calibrated {
  RangeTable ranges;
  ChannelMeans means;
};

std::vector<std::string> convolution_inputs(const IntegerPlan& plan) {
  std::set<std::string> inputs;
  for (const IntegerStep& step : plan.steps) {
    if (step.form == IntegerForm::kConvolution) inputs.insert(step.inputs[0]);
  }
  return {inputs.begin(), inputs.end()};
}

Result<Calibrated> calibrate(const model::Model& model, const IntegerPlan& plan,
                             const std::map<std::string, double>& lowest,
                             const MethodContext& context) {
  std::set<std::string> values;
  for (const auto& [value, holder] : holders(plan.steps)) values.insert(holder);
  const CalibrationData& data = *context.calibration;
  const RangeMethod& method = range_method(data.range_method);
  ObservedValues observed{{values.begin(), values.end()}, {}, method.of_extremes};
  const Techniques techniques(context.config);
  if (techniques.has(Technique::kBiasCorrection) || techniques.has(Technique::kClippingSearch)) {
    observed.by_channel = convolution_inputs(plan);
  }
  Observations seen = WATTWISE_TRY(gather_activations(model, observed, data, context.progress));
  Calibrated out{{}, std::move(seen.means)};
  for (const auto& [value, statistics] : seen.activations) {
    const auto bound = lowest.find(value);
    out.ranges[value] = method.choose(
        bound == lowest.end() ? statistics
                              : statistics.raised_to(static_cast<float>(bound->second)));
  }
  return out;
}

/// Where a view or a movement stays in float, its result may be what enters integers: its range
/// follows from that of what it reads.
void add_ranges_of_views(const std::vector<IntegerStep>& steps, RangeTable& ranges) {
  for (const IntegerStep& step : steps) {
    const auto input = ranges.find(step.inputs[0]);
    if (computes(step) || input == ranges.end()) continue;
    const auto map = [&](float x) {
      return static_cast<float>(
          std::clamp(step.view.scale * x + step.view.shift, step.view.low, step.view.high));
    };
    ranges.try_emplace(step.output, Range{map(input->second.low), map(input->second.high)});
  }
}

/// The measured loss of each value, the largest first.
void tell_noise(const NoiseTable& noise, std::vector<Decision>& decisions) {
  std::vector<std::pair<double, std::string>> sorted;
  for (const auto& [value, part] : noise) sorted.emplace_back(-part, value);
  std::sort(sorted.begin(), sorted.end());
  for (const auto& [part, value] : sorted) {
    decisions.push_back({"measure", value,
                         fmt::format("SQNR of the outputs with it alone in 8 bits: {}",
                                     format_decibels(decibels(1, -part)))});
  }
}

/// The plan with the least time x noise^kNoiseExponent: what makes much noise for little time stays
/// in float. Found as the fixed point of the price at which time and noise are exchanged.
IntegerPlan weigh_noise(optimize::GraphEditor& graph, const model::ShapeTable& shapes,
                        const std::vector<IntegerStep>& steps, const NoiseTable& noise) {
  IntegerPlan best = plan_integers(graph, shapes, steps, {noise, 0});
  const auto merit = [](const IntegerPlan& plan) {
    return plan.ns * std::pow(plan.noise, kNoiseExponent);
  };
  IntegerPlan plan = best;
  for (int round = 0; round < kRounds && plan.noise > 0; ++round) {
    plan = plan_integers(graph, shapes, steps, {noise, kNoiseExponent * plan.ns / plan.noise});
    if (plan.steps.empty() || merit(plan) >= merit(best)) break;
    best = plan;
  }
  return best;
}

Result<void> quantize_activations(model::Model& model, const MethodContext& context,
                                  MethodOutcome& outcome) {
  const model::Model original = model::clone(model);
  optimize::ModelEditor editor(model);
  optimize::GraphEditor& graph = editor.graphs().front();
  const std::vector<IntegerStep> steps = read_integer_steps(graph, context.shapes);
  IntegerPlan plan = plan_integers(graph, context.shapes, steps, {{}, 0});
  if (!plan.steps.empty()) {
    auto [ranges, means] =
        WATTWISE_TRY(calibrate(original, plan, lowest_effective(graph, steps), context));
    const NoiseTable noise =
        WATTWISE_TRY(measure_noise(original, ranges, *context.calibration, context.progress));
    plan = weigh_noise(graph, context.shapes, steps, noise);
    add_ranges_of_views(steps, ranges);
    const Techniques techniques(context.config);
    tell_noise(noise, outcome.decisions);
    outcome.layers = write_integers(
        graph, plan, ranges,
        {weight_range(context.config), techniques.scale_choice(), std::move(means),
         techniques.has(Technique::kBiasCorrection), wants_one_scale(context.config)});
    count_applied(outcome, kStaticConvolution, outcome.layers.size());
    count_applied(outcome, "static_int8_operators", plan.steps.size() - outcome.layers.size());
  }
  outcome.decisions.insert(outcome.decisions.end(), plan.decisions.begin(), plan.decisions.end());
  WATTWISE_TRY(editor.finish());
  model::remove_unused(model.graph);
  return {};
}

/// Ranges of the plan's values. Only 8 bits are so few that it pays to cut off what is rare.
Result<RangeTable> find_ranges(const model::Model& model, const QdqPlan& plan,
                               const ActivationType& type, const MethodContext& context) {
  const CalibrationData& data = *context.calibration;
  const RangeMethod& method = range_method(data.range_method);
  const bool by_extremes = method.of_extremes || type.type == DataType::kUint16;
  std::set<std::string> values;
  for (const auto& [value, holder] : plan.holders) values.insert(holder);
  const Observations seen = WATTWISE_TRY(gather_activations(
      model, {{values.begin(), values.end()}, {}, by_extremes}, data, context.progress));
  RangeTable ranges;
  for (const auto& [value, statistics] : seen.activations) {
    ranges[value] =
        type.type == DataType::kUint16 ? statistics.extremes() : method.choose(statistics);
  }
  return ranges;
}

/// Operators between QuantizeLinear and DequantizeLinear, for what else than ONNX Runtime's own
/// kernels on x86-64 reads them so.
Result<MethodOutcome> spell_as_qdq(model::Model& model, const MethodContext& context) {
  const ActivationType& type = *context.activations.activations->type;
  MethodOutcome outcome;
  WATTWISE_TRY(raise_opset(model,
                           {type.opset, type.opset > kOpset ? "16 bits" : "scales per channel"},
                           context, outcome));
  const model::Model original = model::clone(model);
  optimize::ModelEditor editor(model);
  optimize::GraphEditor& graph = editor.graphs().front();
  QdqPlan plan = plan_qdq(graph, context.shapes, context.activations);
  if (!plan.steps.empty()) {
    const RangeTable ranges = WATTWISE_TRY(find_ranges(original, plan, type, context));
    const bool saturates = type.type == DataType::kUint8;
    outcome.layers =
        write_qdq(graph, plan, ranges,
                  {type, saturates ? weight_range(context.config) : WeightRange::kFull,
                   Techniques(context.config).scale_choice(), wants_one_scale(context.config)});
    count_applied(outcome, kStaticOperator, plan.steps.size());
    outcome.decisions.push_back(
        {"compute", "static",
         fmt::format("{} operators stand between {} activations, as the provider {} reads them",
                     plan.steps.size(), type.name, context.activations.provider->id)});
  }
  outcome.decisions.insert(outcome.decisions.end(), plan.decisions.begin(), plan.decisions.end());
  if (const std::string& warning = context.activations.activations->warning; !warning.empty()) {
    outcome.decisions.push_back({"warn", "static", warning});
  }
  WATTWISE_TRY(editor.finish());
  model::remove_unused(model.graph);
  return outcome;
}

}  // namespace

Result<MethodOutcome> quantize_operators(model::Model& model, const MethodContext& context) {
  MethodOutcome outcome;
  WATTWISE_TRY(raise_opset(model, {kOpset, "scales per channel"}, context, outcome));
  if (Techniques(context.config).has(Technique::kCrossLayerEqualization)) {
    append(outcome, WATTWISE_TRY(equalize_layers(model)));
  }
  WATTWISE_TRY(quantize_activations(model, context, outcome));
  return outcome;
}

Result<MethodOutcome> run_static(model::Model& model, const MethodContext& context) {
  if (!context.calibration) {
    return Error(
        ErrorCode::kInvalidArgument,
        "static quantization needs calibration data: inputs like those of the application");
  }
  if (context.activations.is_qdq()) return spell_as_qdq(model, context);
  MethodOutcome outcome = WATTWISE_TRY(quantize_operators(model, context));
  if (outcome.layers.empty()) return outcome;
  MethodContext for_rest = context;
  // How slow the rest is says nothing of the model, most of which it does not see.
  if (for_rest.slow_products == SlowProducts::kTell) for_rest.slow_products = SlowProducts::kTake;
  MethodOutcome rest = WATTWISE_TRY(run_dynamic(model, for_rest));
  // What was made above is no float any more; that is no news.
  std::erase_if(rest.decisions,
                [](const Decision& decision) { return decision.action == "leave"; });
  append(outcome, rest);
  return outcome;
}

}  // namespace wattwise::quantize
