// SPDX-License-Identifier: Apache-2.0
#include "deploy/candidate.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/text.h"
#include "deploy/agreement.h"
#include "deploy/execution.h"
#include "deploy/mixed_search.h"
#include "engine/block_session.h"
#include "engine/session.h"
#include "measure/trial.h"
#include "model/constant_store.h"
#include "model/graph_edit.h"
#include "model/save.h"
#include "quantize/saturation.h"

namespace wattwise::deploy {
namespace {

/// Whether the method did what it is named after, and not only what other methods do as well.
bool deserves_its_name(const quantize::MethodRow& row, const quantize::MethodOutcome& outcome) {
  return std::any_of(
      outcome.applied.begin(), outcome.applied.end(),
      [&](const AppliedOptimization& item) { return item.name.starts_with(row.essential); });
}

/// What is written small has short names too; those of activations stay, for comparisons.
void shorten_names(Candidate& candidate) {
  const int64_t count = model::shorten_names(candidate.model);
  if (count > 0) candidate.outcome.applied.push_back({"shorten_constant_names", count});
}

/// Takes out of `found` the weights that saturate in the given model already, and tells of them.
void forgive_given_weights(const model::Model& given, Candidate& candidate,
                           std::vector<quantize::SaturatingWeight>& found) {
  model::Model copy = model::clone(given);
  std::set<std::string> known;
  for (const auto& weight : quantize::find_saturating_weights(copy)) known.insert(weight.name);
  const auto count = std::erase_if(
      found, [&](const quantize::SaturatingWeight& weight) { return known.contains(weight.name); });
  if (count == 0) return;
  candidate.outcome.decisions.push_back(
      {"keep", "int8 weights",
       fmt::format(
           "{} int8 weights of the model as it was given have pairs whose products saturate "
           "on x86 processors without VNNI -> it answers otherwise there, and so does the "
           "result; quantize the float model anew to avoid that",
           count)});
}

/// No file is written whose answers depend on the processor's way of adding products, unless that
/// was asked for or the given model is like that; then it is told.
Result<void> check_saturation(const model::Model& given, Candidate& candidate,
                              const QuantizationConfig& config) {
  auto found = quantize::find_saturating_weights(candidate.model);
  if (!found.empty()) forgive_given_weights(given, candidate, found);
  if (found.empty()) return {};
  if (quantize::weight_range(config) == quantize::WeightRange::kFull) {
    candidate.outcome.decisions.push_back(
        {"use_full_range", candidate.method,
         fmt::format("quantization.weight_range is full -> {} int8 weights have pairs whose "
                     "products saturate on x86 processors without VNNI, which answer otherwise; "
                     "they are written unchecked",
                     found.size())});
    return {};
  }
  return Error(
      ErrorCode::kInternal,
      fmt::format("{} int8 weights saturate on processors without VNNI; {} has {} such pairs",
                  found.size(), found.front().name, found.front().pairs));
}

/// The float model's answers where the same values are stood in for as in the candidate.
Result<Samples> reference(Context& context, const CandidateSource& source,
                          const std::vector<std::string>& stood_in) {
  Samples samples = source.samples;
  if (stood_in.empty()) return samples;
  auto runtime = WATTWISE_TRY(context.runtime());
  engine::SessionOptions options;
  options.prepack = false;
  engine::BlockOptions blocks;
  blocks.stand_in_for = stood_in;
  const auto session = WATTWISE_TRY(
      engine::open_block_session(runtime, context.env(), source.optimized, options, blocks));
  samples.outputs = WATTWISE_TRY(session->run_all(samples.inputs));
  return samples;
}

}  // namespace

quantize::MethodContext method_context(Context& context, const CandidateSource& source,
                                       const Progress& progress) {
  return {source.shapes,
          progress,
          context.resolved().config.quantization,
          source.calibration,
          source.opset,
          source.probes,
          source.activations,
          source.slow_products};
}

Result<Candidate> make_candidate(Context& context, const CandidateSource& source,
                                 const Recipe& recipe, const std::string& staged_path) {
  const std::string& method = recipe.method;
  const auto* row = WATTWISE_TRY(quantize::find_method(method));
  Candidate candidate{method, {}, {}, 0, model::clone(recipe.model)};
  // What a rejected candidate put there goes with it.
  if (candidate.model.store) candidate.model.store = candidate.model.store->fork();
  const Progress progress = context.progress();
  candidate.outcome = WATTWISE_TRY(recipe.run(candidate.model));
  if (method != "none" && !deserves_its_name(*row, candidate.outcome)) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("nothing in this model can be quantized that way{}{}",
                             row->lacking.empty() ? "" : ": ", row->lacking));
  }
  WATTWISE_TRY(check_saturation(recipe.model, candidate, context.resolved().config.quantization));
  if (method != "none") shorten_names(candidate);
  WATTWISE_TRY(model::verify(candidate.model));
  WATTWISE_TRY(model::save(context.env(), candidate.model, staged_path));
  for (const auto& file : candidate.model.sources) context.env().release_pages(file.bytes);
  candidate.size_bytes = static_cast<int64_t>(model::saved_size(context.env(), staged_path));
  const auto session = WATTWISE_TRY(open_file(context, staged_path, source.in_blocks, {}));
  const auto& told = session->decisions();
  candidate.outcome.decisions.insert(candidate.outcome.decisions.end(), told.begin(), told.end());
  const Samples samples = WATTWISE_TRY(reference(context, source, session->stood_in()));
  candidate.accuracy = WATTWISE_TRY(compare_with_float(*session, samples)).accuracy;
  if (source.evaluator) {
    WATTWISE_TRY(source.evaluator->judge({*session, {}, 0.8}, progress, candidate.accuracy));
  }
  return candidate;
}

std::optional<std::string> objection(const Candidate& candidate, const CandidateSource& source,
                                     std::optional<double> limit) {
  if (candidate.method == "none") return std::nullopt;
  if (candidate.size_bytes >= source.original_size_bytes) {
    return fmt::format("{} is not smaller than the original {}",
                       format_bytes(static_cast<uint64_t>(candidate.size_bytes)),
                       format_bytes(static_cast<uint64_t>(source.original_size_bytes)));
  }
  if (limit && candidate.accuracy.drop_percent > *limit) {
    return fmt::format("accuracy drop {:.2f} % ({}) is above the limit of {:.2f} %",
                       candidate.accuracy.drop_percent, candidate.accuracy.compared_by, *limit);
  }
  return std::nullopt;
}

namespace {

Result<Candidate> make_by_row(Context& context, const CandidateSource& source,
                              const quantize::MethodRow& row, const std::string& staged_path) {
  const Progress progress = context.progress();
  const quantize::MethodContext given = method_context(context, source, progress);
  const auto run = [&](model::Model& model) { return row.run(model, given); };
  return make_candidate(context, source, {std::string(row.name), source.optimized, run},
                        staged_path);
}

/// Where `static` loses too much by the type of activations that the provider is best at, its next
/// one is taken; if that cannot be had, the first one after all.
Result<Candidate> make_static(Context& context, const CandidateSource& source,
                              const quantize::MethodRow& row, const std::string& staged_path) {
  auto candidate = make_by_row(context, source, row, staged_path);
  const double limit = context.resolved().config.quantization.max_accuracy_drop_percent;
  const auto wider = source.activations.next();
  if (!wider || !candidate || candidate->accuracy.drop_percent <= limit) return candidate;
  Decision decision = {
      "fall_back", std::string(source.activations.activations->type->name),
      fmt::format("accuracy drop {:.2f} % is above the limit of {:.2f} %: {} activations",
                  candidate->accuracy.drop_percent, limit, wider->activations->type->name)};
  CandidateSource again = source;
  again.activations = *wider;
  candidate = make_by_row(context, again, row, staged_path);
  if (!candidate) {
    decision.reason += " cannot be had: " + candidate.error().to_string();
    candidate = make_by_row(context, source, row, staged_path);
  }
  if (candidate) candidate->outcome.decisions.push_back(std::move(decision));
  return candidate;
}

/// The candidate of a method of the plan.
Result<Candidate> try_method(Context& context, const CandidateSource& source,
                             const std::string& method, const std::string& staged_path) {
  const auto* row = WATTWISE_TRY(quantize::find_method(method));
  if (source.in_blocks && (row->needs_calibration || method == kMixed)) {
    return Error(
        ErrorCode::kUnsupported,
        "it measures the whole model, which is too large to be run; give it more memory by "
        "memory_optimization.max_preparation_mb");
  }
  if (method == kMixed) return search_mixed(context, source, staged_path);
  if (method == "static") return make_static(context, source, *row, staged_path);
  return make_by_row(context, source, *row, staged_path);
}

struct Staged {
  const std::string& path;
  bool gated;
};

/// Times a sound candidate against the float model where the objective is speed. Tells the figures,
/// and returns why the candidate is not taken; absent if it is.
Result<std::optional<std::string>> judge_speed(Context& context, const CandidateSource& source,
                                               const Candidate& candidate, const Staged& staged,
                                               Choice& choice) {
  const bool is_speed = quantize::wants_speed(context.resolved().config.quantization);
  std::optional<std::string> why_not;
  if (!source.measure || !is_speed || candidate.method == "none") return why_not;
  Env& env = context.env();
  auto runtime = WATTWISE_TRY(context.runtime());
  measure::TimingOptions options;
  options.min_pairs = measure::kFewestPairs;
  options.progress = context.progress();
  options.stage = "timing the model quantized with " + candidate.method;
  options.fraction = 0.7;
  const measure::Trial trial{
      [&] { return engine::open_session(runtime, env, source.optimized, staged.path, {}); },
      [&] { return engine::open_session(runtime, env, staged.path, {}); },
      source.samples.inputs.front()};
  const auto outcome = WATTWISE_TRY(measure::try_change(env, trial, options));
  const std::string figures = measure::describe_ratio(outcome.timing) + " as the float model";
  if (outcome.slower && staged.gated) return std::optional("slower on this machine: " + figures);
  if (outcome.slower) {
    choice.decisions.push_back({"warn", candidate.method,
                                figures + "; kept because it was asked for by name, where `auto` "
                                          "goes on to what is not slower"});
  } else {
    choice.decisions.push_back({"measure", candidate.method, figures});
  }
  return why_not;
}

/// The accuracy limit gates `auto` and every fallback; a method the caller named is kept.
void warn_beyond_limit(const Candidate& candidate, double limit, Choice& choice) {
  if (candidate.accuracy.drop_percent <= limit) return;
  choice.decisions.push_back(
      {"warn", candidate.method,
       fmt::format("accuracy drop {:.2f} % ({}) is above the limit of {:.2f} %; kept because it "
                   "was asked for by name",
                   candidate.accuracy.drop_percent, candidate.accuracy.compared_by, limit)});
}

}  // namespace

Result<Choice> choose_candidate(Context& context, const CandidateSource& source,
                                const quantize::Plan& plan, const std::string& requested,
                                Staging& staging) {
  const double limit = context.resolved().config.quantization.max_accuracy_drop_percent;
  const std::string staged_path = staging.path(file_name(source.output_path));
  Choice choice{{}, plan.decisions};
  for (size_t i = 0; i < plan.methods.size(); ++i) {
    const std::string& method = plan.methods[i];
    WATTWISE_TRY(report_progress(
        context.progress(), "quantizing with " + method,
        0.3 + 0.5 * static_cast<double>(i) / static_cast<double>(plan.methods.size())));
    auto candidate = try_method(context, source, method, staged_path);
    const bool gated = requested == "auto" || method == kMixed || i > 0;
    std::optional<std::string> why_not;
    if (!candidate) {
      if (candidate.error().code() == ErrorCode::kExhausted ||
          candidate.error().code() == ErrorCode::kIo || i + 1 == plan.methods.size()) {
        return std::move(candidate).error();
      }
      why_not = candidate.error().to_string();
    } else {
      why_not = objection(*candidate, source, gated ? std::optional(limit) : std::nullopt);
      if (!why_not)
        why_not =
            WATTWISE_TRY(judge_speed(context, source, *candidate, {staged_path, gated}, choice));
    }
    if (!why_not) {
      if (!gated) warn_beyond_limit(*candidate, limit, choice);
      choice.candidate = std::move(*candidate);
      return choice;
    }
    choice.decisions.push_back({"fall_back", method, *why_not});
    WATTWISE_TRY(staging.clear());
  }
  return Error(ErrorCode::kUnsupported,
               fmt::format("no method helps this model; \"none\" as quantization.fallback_method "
                           "keeps it in float ({})",
                           choice.decisions.back().reason));
}

}  // namespace wattwise::deploy
