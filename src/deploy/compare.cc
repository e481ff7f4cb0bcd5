// SPDX-License-Identifier: Apache-2.0
#include "deploy/compare.h"

#include "core/atomic_file.h"
#include "core/text.h"
#include "deploy/source.h"
#include "deploy/to_json.h"
#include "measure/compare.h"
#include "report/comparison_chart.h"

namespace wattwise::deploy {
namespace {

Json describe_interval(const measure::Interval& interval) {
  return {{"median", interval.median}, {"low", interval.low}, {"high", interval.high}};
}

Json describe_facts(const measure::ModelFacts& facts) {
  const auto& memory = facts.load_memory_bytes;
  return {{"path", facts.path},
          {"size_bytes", facts.size_bytes},
          {"load_ms", facts.load_ms},
          {"load_memory_bytes", memory ? Json(*memory) : Json(nullptr)}};
}

Json describe_divergence(const std::optional<measure::Divergence>& divergence) {
  if (!divergence) return nullptr;
  return {{"value", divergence->value},
          {"op_type", divergence->op_type},
          {"last_equal", divergence->last_equal},
          {"sqnr_db", divergence->sqnr_db},
          {"max_relative_error", divergence->relative_error},
          {"common_values", divergence->common_values}};
}

Json describe_values(const measure::Comparison& comparison) {
  Json values = Json::array();
  for (const auto& value : comparison.values) {
    values.push_back({{"value", value.value},
                      {"op_type", value.op_type},
                      {"max_relative_error", value.relative_error}});
  }
  return values;
}

Json describe_comparison(const measure::Comparison& comparison, const Accuracy& accuracy) {
  Json document = to_document(accuracy);
  document.update({{"first", describe_facts(comparison.first)},
                   {"second", describe_facts(comparison.second)},
                   {"first_cpu_ms", describe_interval(comparison.timing.first_ms)},
                   {"second_cpu_ms", describe_interval(comparison.timing.second_ms)},
                   {"speed_ratio", describe_interval(comparison.timing.ratio)},
                   {"timed_pairs", comparison.timing.pairs},
                   {"first_divergence", describe_divergence(comparison.divergence)}});
  if (!comparison.values.empty()) document["values"] = describe_values(comparison);
  return document;
}

/// How a picture is written, by the end of its path.
struct PlotRow {
  std::string_view extension;
  std::string (*render)(const report::ComparisonChart& chart);
};
constexpr std::array<PlotRow, 2> kPlots = {
    {{".html", report::render_page}, {".svg", report::render_svg}}};

Result<const PlotRow*> find_plot(const std::string& path) {
  for (const PlotRow& row : kPlots) {
    if (to_lower(file_extension(path)) == row.extension) return &row;
  }
  return Error(ErrorCode::kInvalidArgument,
               "the plot " + path + " must end in .html or .svg, which say how it is drawn");
}

Result<void> plot(Env& env, const measure::Comparison& comparison, const std::string& path) {
  const PlotRow* row = WATTWISE_TRY(find_plot(path));
  report::ComparisonChart chart;
  chart.first = file_name(comparison.first.path);
  chart.second = file_name(comparison.second.path);
  for (const auto& value : comparison.values) {
    chart.values.push_back({value.value, value.op_type, value.relative_error});
  }
  chart.first_ms = comparison.timing.first_samples_ms;
  chart.second_ms = comparison.timing.second_samples_ms;
  return write_file_atomically(env, path, row->render(chart));
}

using InputStream = std::function<Result<std::optional<TensorMap>>()>;

/// All of the caller's data, else the samples that the first model was run on; with the values of
/// fixed inputs, which the second model may lack.
Result<InputStream> inputs_of(const Source& source, bool all) {
  if (all && source.calibration) {
    const PreparedStream next = WATTWISE_TRY(source.calibration->start());
    return InputStream([next, &source]() -> Result<std::optional<TensorMap>> {
      auto sample = WATTWISE_TRY(next());
      if (!sample) return std::optional<TensorMap>();
      sample->tensors.insert(source.fixed.begin(), source.fixed.end());
      return std::optional(std::move(sample->tensors));
    });
  }
  return InputStream([index = size_t{0}, &source]() mutable -> Result<std::optional<TensorMap>> {
    if (index == source.samples.inputs.size()) return std::optional<TensorMap>();
    TensorMap tensors = source.samples.inputs[index++];
    tensors.insert(source.fixed.begin(), source.fixed.end());
    return std::optional(std::move(tensors));
  });
}

/// The task metric of the second model, where one is asked for.
Result<void> judge_second(Context& context, const Source& source, const std::string& second,
                          Accuracy& accuracy) {
  if (!source.evaluator) return {};
  auto runtime = WATTWISE_TRY(context.runtime());
  const auto session = WATTWISE_TRY(engine::open_session(runtime, context.env(), second, {}));
  TensorMap fixed;
  for (const PortInfo& port : session->inputs()) {
    const auto it = source.fixed.find(port.name);
    if (it != source.fixed.end()) fixed.insert(*it);
  }
  return source.evaluator->judge({*session, fixed, 0.9}, context.progress(), accuracy);
}

}  // namespace

Result<Json> compare_models(Context& context, const CompareOptions& options) {
  Env& env = context.env();
  WATTWISE_TRY(input::find_model_file(env, options.first_path));  // told before the second one is
  if (!options.plot_path.empty()) WATTWISE_TRY(find_plot(options.plot_path));
  const std::string second =
      absolute_path(env, WATTWISE_TRY(input::find_model_file(env, options.second_path)));
  PrepareOptions reading;
  reading.model_path = options.first_path;
  reading.samples = options.samples;
  reading.calibration_data = options.data;
  reading.evaluation = options.evaluation;
  reading.fixed_inputs = options.fixed_inputs;
  const Source source = WATTWISE_TRY(open_source(context, reading, parent_path(second)));
  const bool all = options.samples.empty();
  measure::CompareOptions how;
  how.samples = WATTWISE_TRY(inputs_of(source, all));
  how.data = all && source.calibration ? source.calibration->source() : source.samples.source;
  how.progress = context.progress();
  how.with_values = !options.plot_path.empty();
  auto runtime = WATTWISE_TRY(context.runtime());
  const auto comparison =
      WATTWISE_TRY(measure::compare_models(runtime, env, source.path, second, how));
  Accuracy accuracy;
  accuracy.compared_by = comparison.drop.compared_by;
  accuracy.drop_percent = comparison.drop.percent;
  accuracy.data = comparison.data;
  accuracy.samples = comparison.samples;
  accuracy.outputs = comparison.outputs;
  WATTWISE_TRY(judge_second(context, source, second, accuracy));
  if (!options.plot_path.empty()) WATTWISE_TRY(plot(env, comparison, options.plot_path));
  return describe_comparison(comparison, accuracy);
}

}  // namespace wattwise::deploy
