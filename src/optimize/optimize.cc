// SPDX-License-Identifier: Apache-2.0
#include "optimize/optimize.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "core/text.h"
#include "model/constant_store.h"
#include "model/graph_edit.h"
#include "model/walk.h"
#include "optimize/graph_editor.h"

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

/// Runs one pass and adds what it did to its report. Returns whether it changed something.
Result<bool> run_pass(const PassRow& row, model::Model& model, PassContext& context,
                      PassReport& report) {
  const Seconds start = context.env().monotonic_now();
  PassOutcome outcome = WATTWISE_TRY(row.run(model, context));
  if (outcome.changed > 0) {
    context.close();
    if (row.shapes == Shapes::kKept) {
      context.keep_shapes(model);
    } else {
      context.forget_shapes();
    }
    if (auto valid = model::verify(model); !valid) {
      return std::move(valid).error().with_context("after the pass " + report.name);
    }
  } else {
    context.keep_open();
  }
  if (model.store) {
    WATTWISE_TRY(model.store->status());
    model.store->release_all();
  }
  report.milliseconds += to_milliseconds(context.env().monotonic_now() - start).count();
  report.changed += outcome.changed;
  for (Decision& decision : outcome.decisions) {
    const auto same = [&](const Decision& known) {
      return known.action == decision.action && known.subject == decision.subject;
    };
    // A refusal comes back in every round.
    const auto& known = report.decisions;
    if (std::any_of(known.begin(), known.end(), same)) continue;
    report.decisions.push_back(std::move(decision));
  }
  return outcome.changed > 0;
}

}  // namespace

PassContext::PassContext(std::shared_ptr<engine::Runtime> runtime, Env& env, TargetFacts target)
    : runtime_(std::move(runtime)), env_(env), target_(target) {}

PassContext::~PassContext() = default;

ModelEditor& PassContext::open(model::Model& model) const {
  if (!stays_open_ || !editor_ || !editor_->is_untouched()) {
    editor_ = std::make_unique<ModelEditor>(model);
  }
  stays_open_ = false;
  was_opened_ = true;
  return *editor_;
}

void PassContext::keep_open() {
  if (!was_opened_) close();
  stays_open_ = was_opened_;
  was_opened_ = false;
}

void PassContext::close() {
  editor_.reset();
  was_opened_ = false;
}

Result<const model::ShapeTable*> PassContext::shapes(const model::Model& model) const {
  if (!shapes_) shapes_ = WATTWISE_TRY(engine::infer_free_shapes(runtime_, env_, model));
  return &*shapes_;
}

void PassContext::keep_shapes(const model::Model& model) {
  if (!shapes_) return;
  // A name that went may come back for another value.
  std::unordered_set<std::string_view> names;
  model::for_each_graph(model.graph, [&](const model::Graph& graph, const std::string&) {
    for (const model::Value& input : graph.inputs) names.insert(input.name);
    for (const model::Constant& constant : graph.initializers) names.insert(constant.name);
    for (const model::Node& node : graph.nodes) {
      names.insert(node.outputs.begin(), node.outputs.end());
    }
  });
  std::erase_if(*shapes_, [&](const auto& entry) { return !names.contains(entry.first); });
}

Result<OptimizeReport> optimize(model::Model& model, PassContext& context,
                                const std::vector<std::string>& disabled) {
  WATTWISE_TRY(check_names(disabled));
  OptimizeReport report;
  std::vector<const PassRow*> rows;
  for (const PassRow& row : pass_table()) {
    if (std::find(disabled.begin(), disabled.end(), row.name) != disabled.end()) continue;
    rows.push_back(&row);
    report.passes.push_back({std::string(row.name), 0, 0, {}});
  }
  for (bool changed = true; changed && report.rounds < kMaxRounds; ++report.rounds) {
    // A round that changes nothing has seen all shapes.
    if (report.rounds > 0) context.forget_shapes();
    changed = false;
    for (size_t i = 0; i < rows.size(); ++i) {
      changed |= WATTWISE_TRY(run_pass(*rows[i], model, context, report.passes[i]));
    }
  }
  for (const PassReport& pass : report.passes) {
    if (pass.changed > 0) report.applied.push_back({pass.name, pass.changed});
  }
  return report;
}

}  // namespace wattwise::optimize
