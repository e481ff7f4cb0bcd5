// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "measure/compare.h"

namespace wattwise::measure {

/// How far beyond equality the whole 95 % interval must lie before a model counts as slower: what
/// two sessions of one model differ by stays below it.
inline constexpr double kSlowerMargin = 0.02;

/// Whether the second model is slower for sure: the interval of first / second ends below
/// 1 / (1 + kSlowerMargin).
bool second_is_slower(const Interval& ratio);

/// "1.213 times as fast (95 % 1.201 to 1.226, 312 pairs)"
std::string describe_ratio(const PairedTiming& timing);

/// Opens one of the two models, anew each time.
using Opener = std::function<Result<std::unique_ptr<engine::Session>>()>;

/// A model and the change of it that is on trial.
struct Trial {
  Opener before;
  Opener after;
  const TensorMap& inputs;
};

struct Outcome {
  PairedTiming timing;  ///< ratio: above 1 the change pays
  bool slower = false;
};

/// Times the trial. Where memory happened to lie can favour one session over another of the same
/// model for as long as both live, so that "slower" is only said after a second timing with
/// sessions that were opened anew, in the other order, came to the same; `timing` is then the one
/// that is closer to equality.
Result<Outcome> try_change(const Env& env, const Trial& trial, const TimingOptions& options);

/// CPU time and memory that opening takes.
struct LoadCost {
  PairedTiming timing;
  std::optional<uint64_t> first_bytes;  ///< anonymous memory that opening added
  std::optional<uint64_t> second_bytes;
};

/// Opens both in turn, kFewestPairs times and more until the budget is spent.
Result<LoadCost> compare_loads(const Env& env, const Opener& first, const Opener& second,
                               const TimingOptions& options);

}  // namespace wattwise::measure
