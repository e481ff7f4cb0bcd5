// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "deploy/context.h"
#include "deploy/rewrite.h"
#include "deploy/source.h"
#include "deploy/staging.h"
#include "measure/trial.h"

namespace wattwise::deploy {

/// Times a model against a change of it; `stage` is told as progress.
using TimeChange = std::function<Result<measure::Outcome>(
    const model::Model& before, const model::Model& after, const std::string& stage)>;

/// On this machine, by CPU time of the first sample, as the model will be run: one thread, all of
/// the runtime's optimizations. `context` and `source` must outlive it.
TimeChange time_on_this_machine(Context& context, const Source& source);

/// Leaves out what does not pay. For each pass that changed something, the last one first, the
/// passes run anew without it and both models are timed: what a pass is worth is what is missing
/// without it, with all that it made possible for others. (Prefixes of the run order would charge a
/// pass for nodes that only a later one takes away.) One that is slower for sure is left out for
/// good before the next is tried. Then the whole is timed against the model as it was, which is
/// kept if the passes made it slower. Every trial leaves a decision with its figures. Passes are
/// tried for kTrialSeconds at most, those left over stay on untried and say so.
Result<Rewritten> keep_what_pays(Context& context, const Source& source, Rewritten rewritten,
                                 const TimeChange& time);

inline constexpr Seconds kTrialSeconds{60};

/// What opening takes before and after, told as a decision; nothing depends on it. Uses files in
/// `staging` and removes them.
Result<void> tell_load_cost(Context& context, const Source& source, Rewritten& rewritten,
                            const Staging& staging);

}  // namespace wattwise::deploy
