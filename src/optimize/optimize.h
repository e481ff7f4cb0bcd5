// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/env.h"
#include "model/graph.h"
#include "wattwise/result.h"
#include "wattwise/types.h"

namespace wattwise::optimize {

/// What a pass may look at besides the model.
struct PassContext {
  const model::ShapeTable& shapes;
};

/// What a pass did: touched nodes and, per refusal or notable change, a decision.
struct PassOutcome {
  int64_t changed = 0;
  std::vector<Decision> decisions;
};

/// One exact rewrite. `max_error` is the largest relative output error its algebra allows; 0 means
/// bit-equal.
struct PassRow {
  std::string_view name;
  std::string_view description;
  double max_error;
  Result<PassOutcome> (*run)(model::Model& model, const PassContext& context);
};

/// All passes in run order.
std::span<const PassRow> pass_table();

struct PassReport {
  std::string name;
  int64_t changed = 0;
  double milliseconds = 0;
  std::vector<Decision> decisions;
};

struct OptimizeReport {
  std::vector<PassReport> passes;            ///< in run order, switched-off ones left out
  std::vector<AppliedOptimization> applied;  ///< passes that changed something
};

/// Runs the passes in order and verifies the graph after each. An unknown name in `disabled` is
/// kInvalidArgument with the nearest one. `env` times them.
Result<OptimizeReport> optimize(model::Model& model, const PassContext& context,
                                const std::vector<std::string>& disabled, const Env& env);

}  // namespace wattwise::optimize
