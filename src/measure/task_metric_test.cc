// SPDX-License-Identifier: Apache-2.0
#include "measure/task_metric.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace wattwise::measure {
namespace {

TensorMap scores(std::vector<int64_t> shape, const std::vector<float>& values) {
  return {{"y", make_float_tensor(std::move(shape), values)}};
}

/// Counts the pairs, as the definition has it.
double counted_auroc(const std::vector<double>& scores, const std::vector<double>& labels) {
  double sum = 0;
  double pairs = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    for (size_t j = 0; j < scores.size(); ++j) {
      if (labels[i] != 1 || labels[j] != 0) continue;
      ++pairs;
      sum += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
    }
  }
  return sum / pairs;
}

TEST(Auroc, CountsPairsAlsoOfTies) {
  std::vector<double> values;
  std::vector<double> labels;
  for (int i = 0; i < 60; ++i) {
    values.push_back((i * 37) % 11);
    labels.push_back((i * 13) % 7 < 3 ? 1 : 0);
  }
  EXPECT_NEAR(*auroc(values, labels), counted_auroc(values, labels), 1e-12);
  EXPECT_EQ(*auroc(std::array{1., 2., 3.}, std::array{0., 0., 1.}), 1);
  EXPECT_EQ(*auroc(std::array{1., 2., 3.}, std::array{1., 0., 0.}), 0);
  EXPECT_FALSE(auroc(std::array{1., 2.}, std::array{1., 1.}).has_value());
  EXPECT_FALSE(auroc(std::array{1., 2.}, std::array{1., 2.}).has_value());
}

TEST(TaskScore, IsAccuracyWhereThereAreClassScores) {
  TaskScore score = *TaskScore::create("");
  ASSERT_TRUE(score.add(scores({1, 3}, {0, 2, 1}), std::array{1.}).has_value());
  ASSERT_TRUE(score.add(scores({1, 3}, {3, 2, 1}), std::array{2.}).has_value());
  ASSERT_TRUE(score.add(scores({2, 3}, {3, 2, 1, 0, 0, 5}), std::array{0., 2.}).has_value());
  EXPECT_EQ(score.name(), "accuracy of y");
  EXPECT_EQ(*score.value(), 0.75);
}

TEST(TaskScore, IsAccuracyOfDecisionsThatTheModelMakes) {
  TaskScore score = *TaskScore::create("");
  const TensorMap outputs = {{"class", make_int64_tensor({2}, std::vector<int64_t>{4, 1})}};
  ASSERT_TRUE(score.add(outputs, std::array{4., 0.}).has_value());
  EXPECT_EQ(*score.value(), 0.5);
}

TEST(TaskScore, IsAurocWhereThereIsOneScore) {
  TaskScore one = *TaskScore::create("");
  TaskScore two = *TaskScore::create("AUROC:y");
  const std::vector<std::pair<float, double>> rows = {{0.9F, 1}, {0.2F, 0}, {0.4F, 1}, {0.6F, 0}};
  for (const auto& [value, label] : rows) {
    ASSERT_TRUE(one.add(scores({1, 1}, {value}), std::array{label}).has_value());
    ASSERT_TRUE(two.add(scores({1, 2}, {0, value}), std::array{label}).has_value());
  }
  EXPECT_EQ(one.name(), "auroc of y");
  EXPECT_EQ(*one.value(), 0.75);
  EXPECT_EQ(*two.value(), 0.75);
}

TEST(TaskScore, RefusesWhatItCannotScore) {
  const auto refusal = [](const std::string& metric, const TensorMap& outputs,
                          const std::vector<double>& labels) {
    auto score = TaskScore::create(metric);
    if (!score) return score.error().to_string();
    const auto added = score->add(outputs, labels);
    return added ? "taken" : added.error().to_string();
  };
  const auto expect = [](const std::string& text, std::string_view part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  expect(refusal("acuracy", {}, {}), "Did you mean \"accuracy\"?");
  expect(refusal("", scores({1, 3}, {1, 2, 3}), {}), "it has no label");
  expect(refusal("", scores({1, 3}, {1, 2, 3}), {1, 2}), "none of the model's outputs");
  expect(refusal("accuracy", scores({1, 1}, {1}), {1}), "none of the model's outputs");
  expect(refusal("auroc", scores({1, 3}, {1, 2, 3}), {1}), "none of the model's outputs");
  TensorMap several = scores({1, 3}, {1, 2, 3});
  several["z"] = several["y"];
  expect(refusal("", several, {1}), "several of the model's outputs");
  expect(refusal("accuracy:z", several, {1}), "taken");
}

}  // namespace
}  // namespace wattwise::measure
