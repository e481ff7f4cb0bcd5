// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "deploy/context.h"
#include "deploy/source.h"
#include "optimize/optimize.h"

namespace wattwise::deploy {

/// A model after the exact passes, and how its outputs compare with those of the model as it was.
struct Rewritten {
  model::Model model;
  optimize::OptimizeReport report;
  Accuracy accuracy;
  std::vector<Decision> decisions;
  std::vector<double> errors = {};  ///< of each compared sample (Agreement::errors)
  /// How far the original was found to be from itself in another order, relative.
  double noise = 0;
  double max_error = 0;     ///< what is allowed besides what the passes allow, relative
  size_t most_samples = 0;  ///< to compare on, spread over all; 0 for the usual
};

/// Runs the passes that the configuration leaves on and holds the result against the float model's
/// answers. A pass whose result differs by more than its algebra allows is left out, with a
/// decision; nothing wrong is ever returned. `config` is not consulted for `enabled`.
Result<Rewritten> rewrite(Context& context, const Source& source, const OptimizationConfig& config);

/// What the passes did to the model since it was read.
std::vector<AppliedOptimization> all_applied(const Source& source, const Rewritten& rewritten);

/// The passes without those in `disabled` on a copy of the source. Not yet held against anything.
Result<Rewritten> run_passes(Context& context, const Source& source,
                             const std::vector<std::string>& disabled);

/// What is wrong with the rewritten model's answers; absent if nothing is. Fills in its accuracy.
Result<std::optional<std::string>> objection(Context& context, const Source& source,
                                             Rewritten& rewritten);

/// The same, but what the original differs from itself in another order of computation is allowed.
Result<std::optional<std::string>> lasting_objection(Context& context, const Source& source,
                                                     Rewritten& rewritten);

/// The passes alone: reads, rewrites, verifies and writes a float model. Returns the document of
/// docs/formats/results.md.
Result<Json> optimize_model(Context& context, const OptimizeOptions& options);

}  // namespace wattwise::deploy
