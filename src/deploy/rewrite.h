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
};

/// Runs the passes that the configuration leaves on and holds the result against the float model's
/// answers. A pass whose result differs by more than its algebra allows is left out, with a
/// decision; nothing wrong is ever returned. `config` is not consulted for `enabled`.
Result<Rewritten> rewrite(Context& context, const Source& source, const OptimizationConfig& config);

/// The passes alone: reads, rewrites, verifies and writes a float model. Returns the document of
/// docs/formats/results.md.
Result<Json> optimize_model(Context& context, const OptimizeOptions& options);

}  // namespace wattwise::deploy
