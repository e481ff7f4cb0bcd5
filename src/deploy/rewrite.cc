// SPDX-License-Identifier: Apache-2.0
#include "deploy/rewrite.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "deploy/ablation.h"
#include "deploy/agreement.h"
#include "deploy/companions.h"
#include "deploy/parity.h"
#include "deploy/reach_opset.h"
#include "deploy/staging.h"
#include "deploy/to_json.h"
#include "engine/block_session.h"
#include "engine/channel_block.h"
#include "engine/session.h"
#include "model/graph_edit.h"
#include "model/save.h"
#include "model/walk.h"

namespace wattwise::deploy {
namespace {

/// Float arithmetic in another order differs in the last bits even where the algebra is exact.
constexpr double kRounding = 1e-6;

/// Samples on which a rewritten model is compared before a method is tried, which is compared on
/// all of them: algebra that is wrong is so on any. More only where these show a difference.
constexpr std::array<size_t, 2> kBeforeMethods = {4, 12};

/// So many times the samples looked at so far are looked at next, where those did not show enough
/// of what the model amplifies.
constexpr size_t kMoreSamples = 3;

double allowed_error(const optimize::OptimizeReport& report) {
  double allowed = kRounding;
  for (const optimize::PassRow& row : optimize::pass_table()) {
    const auto named = [&](const AppliedOptimization& item) { return item.name == row.name; };
    if (std::any_of(report.applied.begin(), report.applied.end(), named)) {
      allowed = std::max(allowed, row.max_error);
    }
  }
  return allowed;
}

/// Of this machine the runtime is asked, of any other its device file.
Result<optimize::TargetFacts> target_facts(Context& context, const Source& source) {
  const config::Resolved resolved = context.resolved();
  if (context.is_for_this_machine(resolved)) {
    const auto runtime = WATTWISE_TRY(context.runtime());
    return optimize::TargetFacts{engine::cpu_channel_block(runtime, context.env()),
                                 source.quantizes};
  }
  const auto device = WATTWISE_TRY(context.device(resolved));
  return optimize::TargetFacts{device ? device->channel_block : 0, source.quantizes};
}

}  // namespace

Result<Rewritten> run_passes(Context& context, const Source& source,
                             const std::vector<std::string>& disabled) {
  Rewritten out{model::clone(source.model), {}, {}, source.decisions};
  out.max_error = source.max_error;
  optimize::PassContext passes(WATTWISE_TRY(context.runtime()), context.env(),
                               WATTWISE_TRY(target_facts(context, source)));
  out.report = WATTWISE_TRY(optimize::optimize(out.model, passes, disabled));
  for (const auto& pass : out.report.passes) {
    out.decisions.insert(out.decisions.end(), pass.decisions.begin(), pass.decisions.end());
  }
  return out;
}

namespace {

/// Which output is too far off; absent if none is.
std::optional<std::string> difference(const Rewritten& rewritten) {
  const double allowed = std::max(
      {allowed_error(rewritten.report), rewritten.max_error, kNoiseRatio * rewritten.noise});
  if (is_equal_enough(rewritten.errors, allowed, rewritten.noise)) return std::nullopt;
  for (const OutputAccuracy& output : rewritten.accuracy.outputs) {
    if (output.max_relative_error <= allowed) continue;
    return fmt::format("{} differs by {:.2g} of its largest value, {:.2g} is allowed",
                       output.output, output.max_relative_error, allowed);
  }
  return std::nullopt;
}

/// These of the samples.
Samples pick(const Samples& all, std::span<const size_t> indices) {
  Samples some;
  some.source = all.source;
  some.probabilities = all.probabilities;
  for (const size_t i : indices) {
    some.inputs.push_back(all.inputs[i]);
    some.outputs.push_back(all.outputs[i]);
  }
  return some;
}

/// What a rewritten model is compared on.
Samples compared(const Source& source, const Rewritten& rewritten) {
  const size_t all = source.samples.inputs.size();
  const size_t usual = source.quantizes ? kBeforeMethods.back() : all;
  const size_t count = std::min(all, rewritten.most_samples > 0 ? rewritten.most_samples : usual);
  std::vector<size_t> spread;
  for (size_t i = 0; i < count; ++i) spread.push_back(i * all / count);
  return pick(source.samples, spread);
}

/// Finds how far the model itself is from its answers when the runtime computes them in another
/// order, without its own optimizations: the largest error relative to an output's largest value.
/// Looks at samples, first where the rewritten model is furthest off, until the noise excuses that;
/// more noise would excuse it as well. Where trials follow it looks at all of them.
Result<void> find_rounding_noise(Context& context, const Source& source, Rewritten& rewritten) {
  auto runtime = WATTWISE_TRY(context.runtime());
  engine::SessionOptions options;
  options.prepack = false;
  options.map_weights = true;
  options.optimization = engine::GraphOptimization::kDisabled;
  const auto session = WATTWISE_TRY(
      source.in_blocks
          ? engine::open_block_session(runtime, context.env(), source.model, options)
          : engine::open_session(runtime, context.env(), source.model, source.path, options));
  rewritten.noise = 0;
  const Samples samples = compared(source, rewritten);
  const std::vector<size_t> order = worst_first(rewritten.errors);
  for (size_t from = 0, count = 0; from < order.size(); from += count) {
    // Blocks are loaded anew each time.
    const bool all = source.measure || (source.in_blocks && from > 0);
    count = std::min(all ? order.size() : std::max<size_t>(1, kMoreSamples * from),
                     order.size() - from);
    const Samples some = pick(samples, std::span(order).subspan(from, count));
    const Agreement found = WATTWISE_TRY(compare_with_float(*session, some));
    rewritten.noise = std::max(rewritten.noise, worst_of(found.errors));
    if (!source.measure && !difference(rewritten)) break;
  }
  return {};
}

using MaybeSession = Result<std::unique_ptr<engine::Session>>;

/// The rewritten model, for few runs; what it lacks may be the passes' fault.
MaybeSession open_rewritten(Context& context, const Source& source, const Rewritten& rewritten) {
  auto runtime = WATTWISE_TRY(context.runtime());
  engine::SessionOptions options;
  options.prepack = false;
  options.map_weights = true;
  if (source.in_blocks) {
    return engine::open_block_session(runtime, context.env(), rewritten.model, options);
  }
  return engine::open_session(runtime, context.env(), rewritten.model, source.path, options);
}

/// What is said against it on the samples that it is to be compared on.
std::optional<std::string> objection_of(const MaybeSession& session, const Source& source,
                                        Rewritten& rewritten) {
  if (!session) return session.error().to_string();
  auto agreement = compare_with_float(**session, compared(source, rewritten));
  if (!agreement) return agreement.error().to_string();
  rewritten.accuracy = std::move(agreement->accuracy);
  rewritten.errors = std::move(agreement->errors);
  return difference(rewritten);
}

}  // namespace

Result<std::optional<std::string>> objection(Context& context, const Source& source,
                                             Rewritten& rewritten) {
  WATTWISE_TRY(context.runtime());
  return objection_of(open_rewritten(context, source, rewritten), source, rewritten);
}

namespace {

/// The same, unless the original itself is as far off in another order.
Result<std::optional<std::string>> objection_despite_noise(Context& context,
                                                           const MaybeSession& session,
                                                           const Source& source,
                                                           Rewritten& rewritten) {
  auto why = objection_of(session, source, rewritten);
  // Where it runs, it may be off by what the original is off in another order.
  if (!why || rewritten.accuracy.outputs.empty()) return why;
  WATTWISE_TRY(find_rounding_noise(context, source, rewritten));
  return difference(rewritten);
}

}  // namespace

Result<std::optional<std::string>> lasting_objection(Context& context, const Source& source,
                                                     Rewritten& rewritten) {
  WATTWISE_TRY(context.runtime());
  const MaybeSession session = open_rewritten(context, source, rewritten);
  if (!source.quantizes || source.measure || source.in_blocks) {
    return objection_despite_noise(context, session, source, rewritten);
  }
  std::optional<std::string> why;
  for (const size_t count : kBeforeMethods) {
    rewritten.most_samples = count;
    why = WATTWISE_TRY(objection_despite_noise(context, session, source, rewritten));
    if (!why || count >= source.samples.inputs.size()) break;
  }
  rewritten.most_samples = 0;
  return why;
}

namespace {

/// Leaves one applied pass after the other out until the answers are right; in the end all.
Result<Rewritten> without_culprit(Context& context, const Source& source, const Rewritten& wrong,
                                  std::vector<std::string> disabled) {
  for (const AppliedOptimization& suspect : wrong.report.applied) {
    auto names = disabled;
    names.push_back(suspect.name);
    Rewritten trial = WATTWISE_TRY(run_passes(context, source, names));
    trial.noise = wrong.noise;
    if (WATTWISE_TRY(objection(context, source, trial))) continue;
    return trial;
  }
  for (const AppliedOptimization& suspect : wrong.report.applied) disabled.push_back(suspect.name);
  Rewritten none = WATTWISE_TRY(run_passes(context, source, disabled));
  none.noise = wrong.noise;
  WATTWISE_TRY(objection(context, source, none));
  return none;
}

std::vector<std::string> missing(const optimize::OptimizeReport& before,
                                 const optimize::OptimizeReport& after) {
  std::vector<std::string> names;
  for (const auto& item : before.applied) {
    const auto same = [&](const auto& other) { return other.name == item.name; };
    if (std::none_of(after.passes.begin(), after.passes.end(), same)) names.push_back(item.name);
  }
  return names;
}

}  // namespace

Result<Rewritten> rewrite(Context& context, const Source& source,
                          const OptimizationConfig& config) {
  Rewritten rewritten = WATTWISE_TRY(run_passes(context, source, config.disabled_passes));
  const auto why = WATTWISE_TRY(lasting_objection(context, source, rewritten));
  if (!why) return rewritten;
  Rewritten sound =
      WATTWISE_TRY(without_culprit(context, source, rewritten, config.disabled_passes));
  for (const std::string& name : missing(rewritten.report, sound.report)) {
    sound.decisions.push_back({"refuse", name, *why});
  }
  return sound;
}

std::vector<AppliedOptimization> all_applied(const Source& source, const Rewritten& rewritten) {
  std::vector<AppliedOptimization> all = rewritten.report.applied;
  for (const AppliedOptimization& item : source.applied) {
    const auto it = std::find_if(all.begin(), all.end(),
                                 [&](const auto& other) { return other.name == item.name; });
    if (it == all.end()) {
      all.push_back(item);
    } else {
      it->node_count += item.node_count;
    }
  }
  return all;
}

namespace {

std::string default_output(const std::string& path) {
  return join_path(parent_path(path), file_stem(path) + "_optimized" + file_extension(path));
}

Json describe_passes(const Source& source, const optimize::OptimizeReport& report) {
  Json passes = Json::array();
  for (const auto& pass : report.passes) {
    int64_t changed = pass.changed;
    for (const AppliedOptimization& item : source.applied) {
      if (item.name == pass.name) changed += item.node_count;
    }
    passes.push_back({{"name", pass.name},
                      {"changed", changed},
                      {"milliseconds", pass.milliseconds},
                      {"decisions", to_document(pass.decisions)}});
  }
  return passes;
}

Json describe(const Source& source, const Rewritten& rewritten) {
  Json document = {{"input_model_path", source.path},
                   {"output_model_path", nullptr},
                   {"original_size_bytes", source.size_bytes},
                   {"optimized_size_bytes", model::serialized_size(rewritten.model)},
                   {"original_node_count", source.node_count},
                   {"optimized_node_count", model::count_nodes(rewritten.model)},
                   {"rounds", rewritten.report.rounds},
                   {"optimizations_applied", to_document(all_applied(source, rewritten))},
                   {"passes", describe_passes(source, rewritten.report)},
                   {"decisions", to_document(rewritten.decisions)}};
  document["accuracy"] = to_document(rewritten.accuracy);
  return document;
}

}  // namespace

Result<Json> optimize_model(Context& context, const OptimizeOptions& options) {
  Env& env = context.env();
  PrepareOptions reading;
  reading.model_path = options.model_path;
  reading.samples = options.samples;
  reading.calibration_data = options.data;
  reading.measure = options.measure;
  reading.opset = options.opset;
  reading.fixed_inputs = options.fixed_inputs;
  const std::string input =
      absolute_path(env, WATTWISE_TRY(input::find_model_file(env, options.model_path)));
  const std::string output = WATTWISE_TRY(output_file(
      env, options.output_path.empty() ? default_output(input) : options.output_path, input));
  auto staging = WATTWISE_TRY(Staging::create(env, output));
  Source source = WATTWISE_TRY(open_source(context, reading, staging.path("")));
  WATTWISE_TRY(reach_opset(context, source));
  WATTWISE_TRY(report_progress(context.progress(), "rewriting the graph", 0.3));
  Rewritten rewritten =
      WATTWISE_TRY(rewrite(context, source, context.resolved().config.optimization));
  if (source.measure) {
    rewritten = WATTWISE_TRY(keep_what_pays(context, source, std::move(rewritten),
                                            time_on_this_machine(context, source)));
    WATTWISE_TRY(tell_load_cost(context, source, rewritten, staging));
  }
  Json document = describe(source, rewritten);
  if (options.dry_run) return document;
  WATTWISE_TRY(report_progress(context.progress(), "writing", 0.9));
  WATTWISE_TRY(model::save(env, rewritten.model, staging.path(file_name(output))));
  WATTWISE_TRY(stage_companions(env, input, output, staging));
  WATTWISE_TRY(staging.publish());
  document["output_model_path"] = output;
  return document;
}

}  // namespace wattwise::deploy
