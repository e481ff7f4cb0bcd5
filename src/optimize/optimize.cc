// SPDX-License-Identifier: Apache-2.0
#include "optimize/optimize.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "model/graph_edit.h"

namespace wattwise::optimize {
namespace {

Result<void> check_names(const std::vector<std::string>& disabled) {
  std::vector<std::string> known;
  for (const PassRow& row : pass_table()) known.emplace_back(row.name);
  for (const std::string& name : disabled) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("optimization.disabled_passes names \"{}\", which is no pass.{}", name,
                             suggestion(name, known)));
  }
  return {};
}

}  // namespace

Result<OptimizeReport> optimize(model::Model& model, const PassContext& context,
                                const std::vector<std::string>& disabled, const Env& env) {
  WATTWISE_TRY(check_names(disabled));
  OptimizeReport report;
  for (const PassRow& row : pass_table()) {
    const std::string name(row.name);
    if (std::find(disabled.begin(), disabled.end(), name) != disabled.end()) continue;
    const Seconds start = env.monotonic_now();
    PassOutcome outcome = WATTWISE_TRY(row.run(model, context));
    if (auto valid = model::verify(model); !valid) {
      return std::move(valid).error().with_context("after the pass " + name);
    }
    const double milliseconds = to_milliseconds(env.monotonic_now() - start).count();
    if (outcome.changed > 0) report.applied.push_back({name, outcome.changed});
    report.passes.push_back({name, outcome.changed, milliseconds, std::move(outcome.decisions)});
  }
  return report;
}

}  // namespace wattwise::optimize
