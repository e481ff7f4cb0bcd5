// SPDX-License-Identifier: Apache-2.0
// Random models through every pass alone and all together answer as they did.
// $WATTWISE_RANDOM_MODELS says how many; a failure names the seed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "engine/session.h"
#include "measure/metrics.h"
#include "model/graph_edit.h"
#include "optimize/convert_opset.h"
#include "optimize/pass_testing.h"
#include "optimize/random_model_testing.h"

namespace wattwise::optimize::testing {
namespace {

constexpr uint64_t kUsualModels = 300;
/// A wrong rewrite is wrong by more; rounding adds up over a dozen layers.
constexpr double kTolerance = 2e-4;

uint64_t model_count() {
  const char* wanted = std::getenv("WATTWISE_RANDOM_MODELS");
  return wanted ? std::strtoull(wanted, nullptr, 10) : kUsualModels;
}

class RandomModels : public ::testing::Test {
 protected:
  using Answers = std::vector<TensorMap>;

  /// Answers for free sizes of 1 and 3; absent, with the reason in `problem_`, if it does not run.
  std::optional<Answers> run(const model::Model& model) {
    const auto session = engine::open_session(runtime_, system_env(), model, "a random model", {});
    if (!session) return fail(session.error());
    Answers answers;
    for (const int64_t size : {1, 3}) {
      engine::InputGuess guess;
      for (const char* dimension : {"x_0", "x_2"}) guess.dimensions[dimension] = size;
      const auto inputs = engine::make_random_inputs((*session)->inputs(), guess, 7);
      if (!inputs) return fail(inputs.error());
      auto outputs = (*session)->run(*inputs);
      if (!outputs) return fail(outputs.error());
      answers.push_back(std::move(*outputs));
    }
    return answers;
  }

  /// The same of an untouched model. ONNX Runtime's own fusions break a few: these are told and
  /// left out, and must be few.
  std::optional<Answers> answers(const model::Model& model, uint64_t seed) {
    auto found = run(model);
    if (!found)
      std::cout << "seed " << seed << " does not run: " << problem_.substr(0, 150) << "\n";
    left_out_ += found ? 0 : 1;
    return found;
  }

  void TearDown() override { EXPECT_LE(left_out_ * 200, model_count()); }

  /// What is wrong with the model; empty if it answers as expected.
  std::string objection(const model::Model& model, const Answers& expected) {
    if (const auto valid = model::verify(model); !valid) return valid.error().to_string();
    const auto answers = run(model);
    if (!answers && problem_.find("Missing Input: ") != std::string::npos) {
      // The graph is whole; when it loads it, the runtime takes a node away that a branch reads.
      std::cout << "the runtime breaks a valid graph: " << problem_.substr(0, 150) << "\n";
      ++left_out_;
      return "";
    }
    if (!answers) return problem_;
    for (size_t i = 0; i < expected.size(); ++i) {
      const auto compared = measure::compare_outputs(expected[i], (*answers)[i]);
      if (!compared) return compared.error().to_string();
      for (const OutputAccuracy& output : *compared) {
        if (output.max_relative_error <= kTolerance) continue;
        return output.output + " is off by " + std::to_string(output.max_relative_error);
      }
    }
    return "";
  }

  /// Values that the changed model still has, with shapes that contradict `before`.
  std::string changed_shapes(const model::Model& changed, const model::ShapeTable& before) {
    const auto after = engine::infer_free_shapes(runtime_, system_env(), changed);
    if (!after) return after.error().to_string();
    std::string names;
    for (const auto& [name, value] : before) {
      const auto it = after->find(name);
      if (it == after->end()) continue;
      // Of two casts in a row the runtime removes the first, whose type it then tells wrong.
      const bool same = (it->second.type == value.type || name.starts_with("Cast")) &&
                        std::equal(value.shape.begin(), value.shape.end(), it->second.shape.begin(),
                                   it->second.shape.end(),
                                   [](int64_t a, int64_t b) { return a == b || a < 0 || b < 0; });
      if (!same) names += name + " ";
    }
    return names;
  }

  std::nullopt_t fail(const Error& error) {
    problem_ = error.to_string();
    return std::nullopt;
  }

  std::shared_ptr<engine::Runtime> runtime_ =
      *engine::load_runtime(system_env(), {});  // shared with the sessions made from it
  std::string problem_;
  uint64_t left_out_ = 0;
};

TEST_F(RandomModels, AnswerAsBeforeAfterEveryPassAndAllTogether) {
  std::map<std::string, int> changed;
  for (uint64_t seed = 0; seed < model_count(); ++seed) {
    const model::Model model = random_model(seed);
    const auto expected = answers(model, seed);
    if (!expected) continue;
    PassContext context(runtime_, system_env(), {});
    const model::ShapeTable* shapes = *context.shapes(model);
    for (const PassRow& row : pass_table()) {
      model::Model copy = model::clone(model);
      const auto outcome = row.run(copy, context);
      ASSERT_TRUE(outcome) << row.name << ", seed " << seed << ": " << outcome.error().to_string();
      if (outcome->changed == 0) continue;
      ++changed[std::string(row.name)];
      if (row.shapes == Shapes::kKept) {
        EXPECT_EQ(changed_shapes(copy, *shapes), "") << row.name << ", seed " << seed;
      }
      // Passes leave what became dead to the last one; some of the runtime's fusions trip over it.
      model::remove_unused(copy.graph);
      EXPECT_EQ(objection(copy, *expected), "") << row.name << ", seed " << seed;
    }
    model::Model copy = model::clone(model);
    context.forget_shapes();
    const auto report = optimize(copy, context, {});
    ASSERT_TRUE(report) << "seed " << seed << ": " << report.error().to_string();
    EXPECT_LT(report->rounds, kMaxRounds) << "seed " << seed << " reaches no fixed point";
    EXPECT_EQ(objection(copy, *expected), "") << "all passes, seed " << seed;
  }
  for (const PassRow& row : pass_table()) {
    std::cout << row.name << ": " << changed[std::string(row.name)] << " models changed\n";
  }
}

TEST_F(RandomModels, AnswerAsBeforeInANewerOperatorSet) {
  int raised = 0;
  int refused = 0;
  for (uint64_t seed = 0; seed < model_count(); ++seed) {
    const model::Model model = random_model(seed);
    const auto expected = answers(model, seed);
    if (!expected) continue;
    const auto shapes = engine::infer_free_shapes(runtime_, system_env(), model);
    ASSERT_TRUE(shapes) << shapes.error().to_string();
    for (const int64_t version : {13, 17, 21}) {
      model::Model copy = model::clone(model);
      const auto done = convert_opset(copy, version, *shapes);
      // Nothing is known of the types in a branch that is never taken.
      if (!done) {
        EXPECT_EQ(done.error().code(), ErrorCode::kUnsupported) << done.error().to_string();
        EXPECT_EQ(copy.opset(""), model.opset(""));
        ++refused;
        continue;
      }
      raised += copy.opset("") != model.opset("") ? 1 : 0;
      EXPECT_EQ(objection(copy, *expected), "") << "to " << version << ", seed " << seed;
    }
  }
  std::cout << raised << " times an operator set was raised, " << refused << " refused\n";
  EXPECT_LE(refused * 50, raised);
}

}  // namespace
}  // namespace wattwise::optimize::testing
