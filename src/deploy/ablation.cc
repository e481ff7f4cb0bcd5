// SPDX-License-Identifier: Apache-2.0
#include "deploy/ablation.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "device/snapshot.h"
#include "engine/session.h"
#include "model/save.h"

namespace wattwise::deploy {
namespace {

constexpr Seconds kSecondsPerTiming{2};
constexpr const char* kAllPasses = "exact passes";

measure::TimingOptions timing_options(const Context& context, std::string stage) {
  measure::TimingOptions options;
  options.budget = kSecondsPerTiming;
  options.min_pairs = measure::kFewestPairs;
  options.progress = context.progress();
  options.stage = std::move(stage);
  options.fraction = 0.25;
  return options;
}

/// Says for what the figures of this run hold.
Decision describe_place(Context& context, const Source& source) {
  const config::Resolved resolved = context.resolved();
  const std::string cpu = device::take_snapshot(context.env(), "").cpu.model;
  std::string reason = fmt::format(
      "speeds are CPU times of one thread on this machine, two models in turn, on {}; "
      "slower is what is so by more than {:g} % with 95 % confidence, twice",
      source.samples.source, measure::kSlowerMargin * 100);
  if (!context.is_for_this_machine(resolved)) {
    reason += "; the target is another device, which may differ";
  }
  return {"measure", cpu.empty() ? "this machine" : cpu, std::move(reason)};
}

std::vector<std::string> disabled_passes(const optimize::OptimizeReport& report) {
  std::vector<std::string> names;
  for (const optimize::PassRow& row : optimize::pass_table()) {
    const auto same = [&](const optimize::PassReport& pass) { return pass.name == row.name; };
    if (std::none_of(report.passes.begin(), report.passes.end(), same))
      names.emplace_back(row.name);
  }
  return names;
}

bool is_applied(const Rewritten& rewritten, const std::string& pass) {
  const auto& applied = rewritten.report.applied;
  return std::any_of(applied.begin(), applied.end(),
                     [&](const AppliedOptimization& item) { return item.name == pass; });
}

Decision describe_trial(const std::string& subject, const measure::Outcome& outcome) {
  return {outcome.slower ? "leave_out" : "keep", subject,
          fmt::format("{} with {}", measure::describe_ratio(outcome.timing),
                      subject == kAllPasses ? "them" : "it")};
}

/// The model without one pass, and why it cannot be compared with; absent if it can.
struct Without {
  Rewritten rewritten;
  std::optional<std::string> objection;
};

Result<Without> run_without(Context& context, const Source& source, const Rewritten& rewritten,
                            const std::string& pass) {
  auto names = disabled_passes(rewritten.report);
  names.push_back(pass);
  Without without{WATTWISE_TRY(run_passes(context, source, names)), {}};
  without.rewritten.noise = rewritten.noise;
  without.objection = WATTWISE_TRY(objection(context, source, without.rewritten));
  return without;
}

Result<std::vector<Decision>> try_passes(Context& context, const Source& source,
                                         Rewritten& rewritten, const TimeChange& time) {
  std::vector<Decision> decisions;
  const Seconds deadline = context.env().monotonic_now() + kTrialSeconds;
  const std::vector<AppliedOptimization> applied = rewritten.report.applied;
  for (auto item = applied.rbegin(); item != applied.rend(); ++item) {
    const std::string& pass = item->name;
    if (!is_applied(rewritten, pass)) continue;
    if (context.env().monotonic_now() >= deadline) {
      decisions.push_back(
          {"keep", pass,
           fmt::format("not timed: the {:g} s for trials are over", kTrialSeconds.count())});
      continue;
    }
    auto without = WATTWISE_TRY(run_without(context, source, rewritten, pass));
    if (without.objection) {
      decisions.push_back({"keep", pass, "not timed: without it, " + *without.objection});
      continue;
    }
    const auto outcome = WATTWISE_TRY(
        time(without.rewritten.model, rewritten.model, "timing the model without " + pass));
    decisions.push_back(describe_trial(pass, outcome));
    if (outcome.slower) rewritten = std::move(without.rewritten);
  }
  return decisions;
}

}  // namespace

TimeChange time_on_this_machine(Context& context, const Source& source) {
  return [&context, &source](const model::Model& before, const model::Model& after,
                             const std::string& stage) -> Result<measure::Outcome> {
    auto runtime = WATTWISE_TRY(context.runtime());
    const auto opener = [&](const model::Model& model) {
      return [&] { return engine::open_session(runtime, context.env(), model, source.path, {}); };
    };
    return measure::try_change(context.env(),
                               {opener(before), opener(after), source.samples.inputs.front()},
                               timing_options(context, stage));
  };
}

Result<Rewritten> keep_what_pays(Context& context, const Source& source, Rewritten rewritten,
                                 const TimeChange& time) {
  std::vector<Decision> decisions = {describe_place(context, source)};
  const auto tried = WATTWISE_TRY(try_passes(context, source, rewritten, time));
  decisions.insert(decisions.end(), tried.begin(), tried.end());
  if (!rewritten.report.applied.empty()) {
    const auto whole =
        WATTWISE_TRY(time(source.model, rewritten.model, "timing the rewritten model"));
    decisions.push_back(describe_trial(kAllPasses, whole));
    if (whole.slower) {
      std::vector<std::string> all;
      for (const optimize::PassRow& row : optimize::pass_table()) all.emplace_back(row.name);
      const double noise = rewritten.noise;
      rewritten = WATTWISE_TRY(run_passes(context, source, all));
      rewritten.noise = noise;
      WATTWISE_TRY(objection(context, source, rewritten));
    }
  }
  rewritten.decisions.insert(rewritten.decisions.end(), decisions.begin(), decisions.end());
  return rewritten;
}

Result<void> tell_load_cost(Context& context, const Source& source, Rewritten& rewritten,
                            const Staging& staging) {
  Env& env = context.env();
  const std::string folder = staging.path("loads");
  const std::string before = join_path(folder, "before.onnx");
  const std::string after = join_path(folder, "after.onnx");
  WATTWISE_TRY(env.create_directories(folder));
  WATTWISE_TRY(model::save(env, source.model, before));
  WATTWISE_TRY(model::save(env, rewritten.model, after));
  auto runtime = WATTWISE_TRY(context.runtime());
  const auto opener = [&](const std::string& path) {
    return [&] { return engine::open_session(runtime, env, path, {}); };
  };
  const auto cost = WATTWISE_TRY(measure::compare_loads(
      env, opener(before), opener(after), timing_options(context, "timing how both models load")));
  WATTWISE_TRY(env.remove(folder));
  std::string reason =
      fmt::format("{:.3g} ms of CPU time instead of {:.3g} ms: {}", cost.timing.second_ms.median,
                  cost.timing.first_ms.median, measure::describe_ratio(cost.timing));
  if (cost.first_bytes && cost.second_bytes) {
    reason += fmt::format("; takes {} of memory instead of {}", format_bytes(*cost.second_bytes),
                          format_bytes(*cost.first_bytes));
  }
  rewritten.decisions.push_back({"measure", "loading", std::move(reason)});
  return {};
}

}  // namespace wattwise::deploy
