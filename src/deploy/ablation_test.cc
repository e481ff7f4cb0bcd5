// SPDX-License-Identifier: Apache-2.0
#include "deploy/ablation.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "deploy/prepare.h"
#include "deploy/test_folder.h"
#include "model/load.h"

namespace wattwise::deploy {
namespace {

/// text_like() after the passes, of which lift_constants and remove_identities change something.
class Ablation : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    context_ = context(system_env(), options());
    PrepareOptions reading;
    reading.model_path = save(model::text_like(), "text.onnx");
    source_.emplace(*open_source(*context_, reading, folder_));
  }

  /// What stays when changes to which `is_slower(before, after)` holds are slower.
  Rewritten keep(const std::function<bool(const model::Model&, const model::Model&)>& is_slower) {
    auto kept = keep_what_pays(
        *context_, *source_, *rewrite(*context_, *source_, {}),
        [&](const model::Model& before, const model::Model& after, const std::string& stage) {
          stages_.push_back(stage);
          measure::Outcome outcome;
          outcome.slower = is_slower(before, after);
          outcome.timing.ratio = outcome.slower ? measure::Interval{0.8, 0.78, 0.82}
                                                : measure::Interval{1.1, 1.05, 1.15};
          outcome.timing.pairs = 42;
          return Result<measure::Outcome>(outcome);
        });
    EXPECT_TRUE(kept.has_value()) << kept.error().to_string();
    return std::move(*kept);
  }

  static std::string reason(const std::vector<Decision>& decisions, const std::string& action,
                            const std::string& subject) {
    for (const Decision& decision : decisions) {
      if (decision.action == action && decision.subject == subject) return decision.reason;
    }
    return "";
  }
  static bool is_applied(const Rewritten& rewritten, const std::string& pass) {
    const auto& applied = rewritten.report.applied;
    return std::any_of(applied.begin(), applied.end(),
                       [&](const AppliedOptimization& item) { return item.name == pass; });
  }
  static bool has_identity(const model::Model& model) {
    const auto& nodes = model.graph.nodes;
    return std::any_of(nodes.begin(), nodes.end(),
                       [](const model::Node& node) { return node.is("Identity"); });
  }

  std::unique_ptr<Context> context_;
  std::optional<Source> source_;
  std::vector<std::string> stages_;
};

TEST_F(Ablation, KeepsWhatIsNotSlowerAndTellsEveryTrial) {
  const Rewritten kept = keep([](const auto&, const auto&) { return false; });
  EXPECT_EQ(stages_, (std::vector<std::string>{"timing the model without remove_identities",
                                               "timing the model without lift_constants",
                                               "timing the rewritten model"}));
  EXPECT_FALSE(has_identity(kept.model));
  for (const char* subject : {"remove_identities", "lift_constants", "exact passes"}) {
    EXPECT_NE(reason(kept.decisions, "keep", subject)
                  .find("1.100 times as fast (95 % 1.050 to 1.150, 42 pairs)"),
              std::string::npos)
        << subject;
  }
}

TEST_F(Ablation, LeavesOutAPassThatMakesTheModelSlower) {
  const Rewritten kept = keep([](const model::Model& before, const model::Model& after) {
    return has_identity(before) && !has_identity(after) && !before.graph.nodes[0].is("Constant");
  });
  EXPECT_TRUE(has_identity(kept.model));
  EXPECT_TRUE(is_applied(kept, "lift_constants"));
  EXPECT_FALSE(is_applied(kept, "remove_identities"));
  EXPECT_NE(reason(kept.decisions, "leave_out", "remove_identities").find("0.800 times as fast"),
            std::string::npos);
  EXPECT_NE(reason(kept.decisions, "keep", "exact passes"), "");
  ASSERT_EQ(kept.accuracy.outputs.size(), 1u);
  EXPECT_EQ(kept.accuracy.outputs[0].max_abs_error, 0);
}

TEST_F(Ablation, KeepsTheModelAsItWasIfTheWholeIsSlower) {
  const Rewritten kept = keep([](const model::Model& before, const model::Model& after) {
    return before.graph.nodes.size() >= after.graph.nodes.size() + 2;
  });
  EXPECT_EQ(kept.model.graph.nodes.size(), source_->model.graph.nodes.size());
  EXPECT_TRUE(kept.report.applied.empty());
  EXPECT_NE(reason(kept.decisions, "leave_out", "exact passes").find("0.800"), std::string::npos);
}

TEST_F(Ablation, MeasuringLeavesADecisionPerPassAndNoOtherFile) {
  PrepareOptions options;
  options.model_path = source_->path;
  options.measure = true;
  options.bundle = false;
  options.quantization_method = "none";
  const auto result = prepare(*context_, options);
  ASSERT_TRUE(result.has_value()) << result.error().to_string();
  EXPECT_EQ(system_env().list_directory(models())->size(), 2u);
  for (const char* subject : {"remove_identities", "lift_constants", "exact passes"}) {
    const std::string told = reason(result->decisions, "keep", subject) +
                             reason(result->decisions, "leave_out", subject);
    EXPECT_NE(told.find(" pairs)"), std::string::npos) << subject << ": " << told;
  }
  EXPECT_NE(reason(result->decisions, "measure", "loading").find("of CPU time"), std::string::npos);
  auto store = context_->store();
  ASSERT_TRUE(store.has_value());
  EXPECT_NE((*store)->preparations(1)->front().record.dump().find("times as fast"),
            std::string::npos);
}

TEST_F(Ablation, AQuantizedModelIsTimedWhereTheObjectiveIsSpeed) {
  PrepareOptions options;
  options.model_path = source_->path;
  options.measure = true;
  options.bundle = false;
  options.quantization_method = "dynamic";
  const auto timed = prepare(*context_, options);
  ASSERT_TRUE(timed.has_value()) << timed.error().to_string();
  EXPECT_EQ(reason(timed->decisions, "warn", "dynamic").find("estimated"), std::string::npos)
      << "the measurement counts";
  EXPECT_NE(
      (reason(timed->decisions, "measure", "dynamic") + reason(timed->decisions, "warn", "dynamic"))
          .find("as the float model"),
      std::string::npos);
  const auto small =
      context(system_env(), this->options(R"({"quantization":{"objective":"size"}})"));
  const auto untimed = prepare(*small, options);
  ASSERT_TRUE(untimed.has_value()) << untimed.error().to_string();
  EXPECT_EQ(reason(untimed->decisions, "measure", "dynamic"), "");
}

}  // namespace
}  // namespace wattwise::deploy
