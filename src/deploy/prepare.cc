// SPDX-License-Identifier: Apache-2.0
#include "deploy/prepare.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "deploy/ablation.h"
#include "deploy/calibration.h"
#include "deploy/candidate.h"
#include "deploy/companions.h"
#include "deploy/efficiency.h"
#include "deploy/package.h"
#include "deploy/prepare_cache.h"
#include "deploy/reach_opset.h"
#include "deploy/rewrite.h"
#include "deploy/source.h"
#include "deploy/staging.h"
#include "deploy/to_json.h"
#include "model/graph_edit.h"
#include "model/inspect.h"

namespace wattwise::deploy {
namespace {

std::string default_output(const std::string& path, const std::string& profile) {
  return join_path(parent_path(path), fmt::format("{}_{}_optimized{}", file_stem(path),
                                                  to_lower(profile), file_extension(path)));
}

/// The exact passes on a copy of the source, unless the configuration turns them off; where changes
/// are timed, only what pays on this machine.
Result<model::Model> make_exact(Context& context, const Source& source, const Staging& staging,
                                PrepareResult& result) {
  WATTWISE_TRY(report_progress(context.progress(), "rewriting the graph", 0.2));
  const OptimizationConfig config = context.resolved().config.optimization;
  if (!config.enabled) {
    result.decisions = source.decisions;
    result.decisions.push_back({"skip", "exact passes", "optimization.enabled is false"});
    return model::clone(source.model);
  }
  Rewritten rewritten = WATTWISE_TRY(rewrite(context, source, config));
  if (source.measure) {
    rewritten = WATTWISE_TRY(keep_what_pays(context, source, std::move(rewritten),
                                            time_on_this_machine(context, source)));
    WATTWISE_TRY(tell_load_cost(context, source, rewritten, staging));
  }
  result.optimizations_applied = all_applied(source, rewritten);
  result.decisions.insert(result.decisions.end(), rewritten.decisions.begin(),
                          rewritten.decisions.end());
  return std::move(rewritten.model);
}

void describe_choice(const Choice& choice, const Source& source, PrepareResult& result) {
  const Candidate& candidate = choice.candidate;
  const auto append = [](auto& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  append(result.decisions, choice.decisions);
  append(result.decisions, candidate.outcome.decisions);
  append(result.optimizations_applied, candidate.outcome.applied);
  result.quantization_method = candidate.method;
  result.layers = candidate.outcome.layers;
  result.accuracy = candidate.accuracy;
  result.original_size_bytes = source.size_bytes;
  result.optimized_size_bytes = candidate.size_bytes;
  result.size_reduction_ratio =
      static_cast<double>(source.size_bytes) / static_cast<double>(candidate.size_bytes);
  for (const auto& row : quantize::method_table()) {
    if (row.name == candidate.method) result.quantization_scheme = row.scheme;
  }
}

/// What was quantized and the shapes of its values, which keep their names in the candidate.
struct Quantized {
  const Candidate& candidate;
  const model::ShapeTable& shapes;
};

Result<void> estimate_both(Context& context, const Source& source, const Quantized& quantized,
                           PrepareResult& result) {
  WATTWISE_TRY(report_progress(context.progress(), "estimating the cost", 0.85));
  const config::Resolved resolved = context.resolved();
  const auto device = WATTWISE_TRY(context.device(resolved));
  const auto original =
      WATTWISE_TRY(inspect_with_shapes(context, source.model, source.inputs, quantized.shapes));
  const auto prepared = WATTWISE_TRY(
      inspect_with_shapes(context, quantized.candidate.model, source.inputs, quantized.shapes));
  result.original_power_efficiency = estimate_efficiency(original, device, resolved.config);
  result.power_efficiency = estimate_efficiency(prepared, device, resolved.config);
  device::add_reductions(result.power_efficiency.figures, result.original_power_efficiency.figures);
  return {};
}

std::string requested_method(const PrepareOptions& options, const QuantizationConfig& config) {
  if (!config.enabled) return "none";
  return to_lower(options.quantization_method.empty() ? config.preferred_method
                                                      : options.quantization_method);
}

Result<void> check_model_type(const std::string& type) {
  const std::vector<std::string> known = {"text", "vision", "audio", "llm"};
  if (type.empty() || std::find(known.begin(), known.end(), type) != known.end()) return {};
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("model type \"{}\" is unknown.{}", type, suggestion(type, known)));
}

void describe_request(const PrepareOptions& options, const config::Resolved& resolved,
                      const Source& source, PrepareResult& result) {
  result.input_model_path = source.path;
  result.deployment_target = resolved.config.deployment_target;
  result.power_profile = resolved.config.power_profile;
  result.requested_quantization_method = requested_method(options, resolved.config.quantization);
  result.model_type = to_lower(options.model_type);
  if (!result.model_type.empty()) return;
  const auto guess = model::infer_model_type(source.model);
  result.model_type = guess.type;
  result.decisions.push_back({"infer_type", guess.type, guess.reason});
}

Result<PreparationPlace> find_place(Context& context, const PrepareOptions& options) {
  Env& env = context.env();
  PreparationPlace place;
  place.input = absolute_path(env, WATTWISE_TRY(input::find_model_file(env, options.model_path)));
  const std::string profile = context.resolved().config.power_profile;
  place.output = WATTWISE_TRY(output_file(
      env, options.output_path.empty() ? default_output(place.input, profile) : options.output_path,
      place.input));
  return place;
}

/// What `static` holds activations in for the first provider of the target that has a table.
Result<quantize::ActivationForm> choose_activations(const Context& context) {
  const config::Resolved resolved = context.resolved();
  const std::string& wanted = resolved.config.quantization.activation_type;
  const Json& row = context.provider_file(resolved);
  return quantize::choose_activations(WATTWISE_TRY(quantize::read_provider_operators(row)), wanted);
}

/// Makes everything in `staging`.
Result<PrepareResult> make_preparation(Context& context, const PrepareOptions& options,
                                       const PreparationPlace& place, Staging& staging) {
  const config::Resolved resolved = context.resolved();
  PrepareResult result;
  Source source = WATTWISE_TRY(open_source(context, options, staging.path("")));
  source.quantizes = requested_method(options, resolved.config.quantization) != "none";
  WATTWISE_TRY(reach_opset(context, source));
  describe_request(options, resolved, source, result);
  auto runtime = WATTWISE_TRY(context.runtime());
  const auto optimized = WATTWISE_TRY(make_exact(context, source, staging, result));
  const auto shapes =
      WATTWISE_TRY(engine::infer_shapes(runtime, context.env(), optimized, source.inputs));
  const auto calibration = WATTWISE_TRY(make_calibration(context, source, options));
  const auto plan =
      WATTWISE_TRY(quantize::plan(optimized, shapes,
                                  {result.requested_quantization_method,
                                   resolved.config.quantization, calibration.has_value()}));
  const bool is_static =
      std::find(plan.methods.begin(), plan.methods.end(), "static") != plan.methods.end();
  const auto activations =
      is_static ? WATTWISE_TRY(choose_activations(context)) : quantize::ActivationForm();
  const auto probes = WATTWISE_TRY(make_probes(context, source.samples));
  const QuantizationConfig& settings = resolved.config.quantization;
  const bool is_timed = source.measure && quantize::wants_speed(settings);
  const auto slow =
      quantize::slow_products({result.requested_quantization_method, is_timed}, settings);
  const CandidateSource candidates{optimized,      shapes,
                                   source.samples, calibration ? &*calibration : nullptr,
                                   &probes,        source.size_bytes,
                                   place.output,   source.evaluator ? &*source.evaluator : nullptr,
                                   source.opset,   source.in_blocks,
                                   activations,    slow,
                                   source.measure};
  const auto choice = WATTWISE_TRY(
      choose_candidate(context, candidates, plan, result.requested_quantization_method, staging));
  describe_choice(choice, source, result);
  WATTWISE_TRY(estimate_both(context, source, {choice.candidate, shapes}, result));
  result.status = options.dry_run ? "planned" : "ready";
  if (options.dry_run) return result;
  WATTWISE_TRY(report_progress(context.progress(), "writing", 0.95));
  result.output_model_path = place.output;
  if (options.bundle) {
    WATTWISE_TRY(write_target_bundle(
        context, resolved, {staging, source.preprocessor.files, source.samples, source.in_blocks},
        result));
  }
  return result;
}

/// A result, and whether its files still have to get from the staging to their place.
struct Prepared {
  PrepareResult result;
  bool publish;
};

/// Made, or taken from an earlier run where there was one.
Result<Prepared> make_or_reuse(Context& context, const PrepareOptions& options,
                               const PreparationPlace& place, Staging& staging) {
  const bool use_cache = options.use_cache && !options.dry_run && can_be_reused(options) &&
                         context.resolved().config.cache.enabled;
  if (!use_cache) {
    return Prepared{WATTWISE_TRY(make_preparation(context, options, place, staging)),
                    !options.dry_run};
  }
  const Seconds start = context.env().monotonic_now();
  WATTWISE_TRY(report_progress(context.progress(), "looking for an earlier preparation", 0));
  const std::string key = WATTWISE_TRY(preparation_key(context, options, place));
  if (auto known = WATTWISE_TRY(reuse_preparation(context, key, place, staging))) {
    return Prepared{std::move(known->result), !known->is_in_place};
  }
  PrepareResult result = WATTWISE_TRY(make_preparation(context, options, place, staging));
  result.preparation_time_seconds = (context.env().monotonic_now() - start).count();
  keep_preparation(context, key, staging, result);
  return Prepared{std::move(result), true};
}

Result<PrepareResult> run_preparation(Context& context, const PrepareOptions& options) {
  Env& env = context.env();
  const Seconds start = env.monotonic_now();
  WATTWISE_TRY(check_model_type(to_lower(options.model_type)));
  const PreparationPlace place = WATTWISE_TRY(find_place(context, options));
  // Fails before the work, not after.
  auto staging = WATTWISE_TRY(Staging::create(env, place.output));
  auto [result, publish] = WATTWISE_TRY(make_or_reuse(context, options, place, staging));
  if (publish) {
    WATTWISE_TRY(stage_companions(env, place.input, place.output, staging));
    WATTWISE_TRY(staging.publish());
  }
  result.preparation_time_seconds = (env.monotonic_now() - start).count();
  return std::move(result);
}

/// Keeps the history of successes and failures. A database that cannot be written does not undo a
/// preparation that stands on disk: the result says so instead.
void record(Context& context, const std::string& model_path, Result<PrepareResult>& result) {
  const config::Resolved resolved = context.resolved();
  if (!resolved.config.monitoring.log_to_database) return;
  store::Preparation row;
  row.model_path = absolute_path(context.env(), result ? result->input_model_path : model_path);
  row.deployment_target = resolved.config.deployment_target;
  row.power_profile = resolved.config.power_profile;
  const bool is_there = context.env().stat(row.model_path).has_value();
  row.status = result ? result->status : is_there ? "failed" : "not_found";
  row.finished_at = context.env().wall_now().count();
  if (result) {
    row.output_path = result->output_model_path;
    row.record = to_document(*result);
  } else {
    row.error = result.error().to_string();
  }
  const Result<void> added = context.record(row);
  if (added) return;
  context.logger().log(LogLevel::kWarning, "deploy", "preparation not recorded",
                       field("reason", added.error().to_string()));
  if (result) {
    result->decisions.push_back({"not_recorded", row.model_path, added.error().to_string()});
  }
}

}  // namespace

Result<PrepareResult> prepare(Context& context, const PrepareOptions& options) {
  context.logger().log(LogLevel::kInfo, "deploy", "preparing", field("model", options.model_path));
  auto result = run_preparation(context, options);
  if (!options.dry_run) record(context, options.model_path, result);
  if (!result) return std::move(result).error().with_context("preparing " + options.model_path);
  for (const Decision& decision : result->decisions) {
    if (decision.action != "warn") continue;
    context.logger().log(LogLevel::kWarning, "deploy", decision.subject + ": " + decision.reason);
  }
  context.logger().log(LogLevel::kInfo, "deploy", "prepared",
                       field("output", result->output_model_path),
                       field("method", result->quantization_method),
                       field("seconds", result->preparation_time_seconds));
  return result;
}

}  // namespace wattwise::deploy
