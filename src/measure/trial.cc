// SPDX-License-Identifier: Apache-2.0
#include "measure/trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "device/process_memory.h"

namespace wattwise::measure {
namespace {

constexpr int64_t kMaxLoadPairs = 20;

PairedTiming swapped(const PairedTiming& timing) {
  const Interval& ratio = timing.ratio;
  return {
      timing.second_ms, timing.first_ms,          {1 / ratio.median, 1 / ratio.high, 1 / ratio.low},
      timing.pairs,     timing.second_samples_ms, timing.first_samples_ms};
}

Result<PairedTiming> time_opened(const Env& env, const Opener& first, const Opener& second,
                                 const TensorMap& inputs, const TimingOptions& options) {
  const auto a = WATTWISE_TRY(first());
  const auto b = WATTWISE_TRY(second());
  return time_interleaved(env, *a, *b, inputs, options);
}

struct Load {
  double milliseconds = 0;
  std::optional<uint64_t> bytes;
};

Result<Load> load_once(const Env& env, const Opener& open) {
  device::return_free_memory();
  const auto before = device::anonymous_bytes(env);
  const Seconds start = env.process_cpu_now();
  const auto session = WATTWISE_TRY(open());
  Load load{to_milliseconds(env.process_cpu_now() - start).count(), {}};
  const auto after = device::anonymous_bytes(env);
  if (before && after) load.bytes = *after > *before ? *after - *before : 0;
  return load;
}

}  // namespace

bool second_is_slower(const Interval& ratio) { return ratio.high * (1 + kSlowerMargin) < 1; }

std::string describe_ratio(const PairedTiming& timing) {
  return fmt::format("{:.3f} times as fast (95 % {:.3f} to {:.3f}, {} pairs)", timing.ratio.median,
                     timing.ratio.low, timing.ratio.high, timing.pairs);
}

Result<Outcome> try_change(const Env& env, const Trial& trial, const TimingOptions& options) {
  const PairedTiming first =
      WATTWISE_TRY(time_opened(env, trial.before, trial.after, trial.inputs, options));
  if (!second_is_slower(first.ratio)) return Outcome{first, false};
  const PairedTiming again =
      swapped(WATTWISE_TRY(time_opened(env, trial.after, trial.before, trial.inputs, options)));
  if (!second_is_slower(again.ratio)) return Outcome{again, false};
  return Outcome{again.ratio.median > first.ratio.median ? again : first, true};
}

Result<LoadCost> compare_loads(const Env& env, const Opener& first, const Opener& second,
                               const TimingOptions& options) {
  std::vector<double> a;
  std::vector<double> b;
  std::vector<double> ratios;
  LoadCost cost;
  const Seconds deadline = env.monotonic_now() + options.budget;
  for (int64_t pair = 0;
       pair < kMaxLoadPairs && (pair < options.min_pairs || env.monotonic_now() < deadline);
       ++pair) {
    WATTWISE_TRY(report_progress(options.progress, options.stage, options.fraction));
    const bool first_leads = pair % 2 == 0;
    const Load one = WATTWISE_TRY(load_once(env, first_leads ? first : second));
    const Load two = WATTWISE_TRY(load_once(env, first_leads ? second : first));
    a.push_back((first_leads ? one : two).milliseconds);
    b.push_back((first_leads ? two : one).milliseconds);
    ratios.push_back(a.back() / std::max(b.back(), 1e-9));
    if (pair > 0) continue;
    cost.first_bytes = one.bytes;
    cost.second_bytes = two.bytes;
  }
  const auto pairs = static_cast<int64_t>(a.size());
  cost.timing = {median_interval(a), median_interval(b), median_interval(ratios), pairs, a, b};
  return cost;
}

}  // namespace wattwise::measure
