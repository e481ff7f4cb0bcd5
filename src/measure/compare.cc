// SPDX-License-Identifier: Apache-2.0
#include "measure/compare.h"

#include <algorithm>
#include <cmath>

#include "device/process_memory.h"
#include "model/load.h"
#include "model/probability_outputs.h"

namespace wattwise::measure {
namespace {

/// A sample shorter than this is at the mercy of the clock's step and of one interrupt.
constexpr double kMinSampleSeconds = 0.002;
constexpr int64_t kMaxPairs = 2000;

/// Those of the inputs that a model has.
TensorMap inputs_of(const engine::Session& session, const TensorMap& all) {
  TensorMap inputs;
  for (const PortInfo& port : session.inputs()) {
    if (const auto it = all.find(port.name); it != all.end()) inputs.insert(*it);
  }
  return inputs;
}

/// CPU milliseconds per inference over `repeats` inferences.
Result<double> time_once(const Env& env, const engine::Session& session, const TensorMap& inputs,
                         int repeats) {
  const Seconds start = env.process_cpu_now();
  for (int i = 0; i < repeats; ++i) {
    [[maybe_unused]] const TensorMap outputs = WATTWISE_TRY(session.run(inputs));
  }
  return to_milliseconds(env.process_cpu_now() - start).count() / repeats;
}

Result<std::unique_ptr<engine::Session>> open_timed(const std::shared_ptr<engine::Runtime>& runtime,
                                                    Env& env, const engine::SessionOptions& options,
                                                    ModelFacts& facts) {
  const auto info = env.stat(facts.path);
  facts.size_bytes = info ? info->size_bytes : 0;
  device::return_free_memory();
  const auto before = device::anonymous_bytes(env);
  const Seconds start = env.monotonic_now();
  auto session = WATTWISE_TRY(engine::open_session(runtime, env, facts.path, options));
  facts.load_ms = to_milliseconds(env.monotonic_now() - start).count();
  const auto after = device::anonymous_bytes(env);
  if (before && after) facts.load_memory_bytes = *after > *before ? *after - *before : 0;
  return session;
}

}  // namespace

Result<PairedTiming> time_interleaved(const Env& env, const engine::Session& first,
                                      const engine::Session& second, const TensorMap& inputs,
                                      const TimingOptions& options) {
  const TensorMap first_inputs = inputs_of(first, inputs);
  const TensorMap second_inputs = inputs_of(second, inputs);
  const double warm = std::max(WATTWISE_TRY(time_once(env, first, first_inputs, 1)), 1e-6);
  WATTWISE_TRY(time_once(env, second, second_inputs, 1));
  const int repeats = std::max(1, static_cast<int>(std::ceil(kMinSampleSeconds * 1e3 / warm)));
  std::vector<double> a;
  std::vector<double> b;
  std::vector<double> ratios;
  const Seconds deadline = env.monotonic_now() + options.budget;
  for (int64_t pair = 0;
       pair < kMaxPairs && (pair < options.min_pairs || env.monotonic_now() < deadline); ++pair) {
    WATTWISE_TRY(report_progress(options.progress, options.stage, options.fraction));
    const bool first_leads = pair % 2 == 0;
    for (const bool is_first : {first_leads, !first_leads}) {
      const double time = WATTWISE_TRY(is_first ? time_once(env, first, first_inputs, repeats)
                                                : time_once(env, second, second_inputs, repeats));
      (is_first ? a : b).push_back(time);
    }
    ratios.push_back(a.back() / std::max(b.back(), 1e-9));
  }
  const auto pairs = static_cast<int64_t>(a.size());
  PairedTiming timing{
      median_interval(a), median_interval(b), median_interval(ratios), pairs, {}, {}};
  timing.first_samples_ms = std::move(a);
  timing.second_samples_ms = std::move(b);
  return timing;
}

namespace {

/// Where the models part, if an output tells that they do, and by how much values differ.
Result<void> look_inside(const std::shared_ptr<engine::Runtime>& runtime, Env& env,
                         const CompareOptions& options, const TensorMap& sample,
                         Comparison& comparison) {
  const bool differ = std::any_of(comparison.outputs.begin(), comparison.outputs.end(),
                                  [&](const OutputAccuracy& output) {
                                    return output.max_relative_error > options.divergence_threshold;
                                  });
  if (!differ && !options.with_values) return {};
  WATTWISE_TRY(report_progress(options.progress, "looking for where the models part", 0.8));
  const auto first = WATTWISE_TRY(model::load(env, comparison.first.path));
  const auto second = WATTWISE_TRY(model::load(env, comparison.second.path));
  const DivergenceQuery query{first, second, sample, options.divergence_threshold};
  if (differ) comparison.divergence = WATTWISE_TRY(find_divergence(runtime, env, query));
  if (options.with_values) comparison.values = WATTWISE_TRY(value_errors(runtime, env, query));
  return {};
}

/// Adds up how the outputs agree over all samples; returns the first sample.
Result<TensorMap> compare_answers(Env& env, const engine::Session& first,
                                  const engine::Session& second, const CompareOptions& options,
                                  Comparison& comparison) {
  TensorMap sample;
  const auto model = WATTWISE_TRY(model::load(env, comparison.first.path));
  const Probabilities probabilities = model::probability_outputs(model);
  DropSums sums(probabilities);
  for (auto next = WATTWISE_TRY(options.samples()); next; next = WATTWISE_TRY(options.samples())) {
    WATTWISE_TRY(report_progress(options.progress, "running both models", 0.1));
    const TensorMap reference = WATTWISE_TRY(first.run(inputs_of(first, *next)));
    const TensorMap other = WATTWISE_TRY(second.run(inputs_of(second, *next)));
    keep_worst(WATTWISE_TRY(sums.add(reference, other)), comparison.outputs);
    if (comparison.samples++ == 0) sample = std::move(*next);
  }
  comparison.drop = sums.drop();
  return sample;
}

}  // namespace

Result<Comparison> compare_models(const std::shared_ptr<engine::Runtime>& runtime, Env& env,
                                  const std::string& first, const std::string& second,
                                  const CompareOptions& options) {
  Comparison comparison;
  comparison.first.path = first;
  comparison.second.path = second;
  comparison.data = options.data;
  WATTWISE_TRY(report_progress(options.progress, "loading both models", 0));
  const auto a = WATTWISE_TRY(open_timed(runtime, env, options.session, comparison.first));
  const auto b = WATTWISE_TRY(open_timed(runtime, env, options.session, comparison.second));
  const TensorMap sample = WATTWISE_TRY(compare_answers(env, *a, *b, options, comparison));
  TimingOptions timing;
  timing.budget = options.timing_budget;
  timing.progress = options.progress;
  comparison.timing = WATTWISE_TRY(time_interleaved(env, *a, *b, sample, timing));
  WATTWISE_TRY(look_inside(runtime, env, options, sample, comparison));
  return comparison;
}

}  // namespace wattwise::measure
