// SPDX-License-Identifier: Apache-2.0
#include "measure/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace wattwise::measure {
namespace {

Tensor floats(std::vector<int64_t> shape, std::vector<float> values) {
  return make_float_tensor(std::move(shape), values);
}

TEST(Metrics, SqnrIsTheRatioOfEnergiesInDecibels) {
  const std::vector<float> reference = {3, 4};
  const std::vector<float> other = {3, 4.5};
  EXPECT_NEAR(sqnr_db(reference, other), 10 * std::log10(25 / 0.25), 1e-9);
  EXPECT_EQ(sqnr_db(reference, reference), std::numeric_limits<double>::infinity());
}

AccuracyDrop accuracy_drop(const std::vector<TensorMap>& reference,
                           const std::vector<TensorMap>& other,
                           const Probabilities& probabilities = {}) {
  DropSums sums(probabilities);
  for (size_t i = 0; i < reference.size(); ++i) {
    EXPECT_TRUE(sums.add(reference[i], other[i]).has_value());
  }
  return sums.drop();
}

TEST(Metrics, CosineOfKnownAngles) {
  const std::vector<float> x = {1, 0};
  const std::vector<float> diagonal = {1, 1};
  const std::vector<float> zero = {0, 0};
  EXPECT_NEAR(cosine(x, diagonal), std::sqrt(0.5), 1e-9);
  EXPECT_EQ(cosine(zero, zero), 1);
  EXPECT_EQ(cosine(x, zero), 0);
}

TEST(Metrics, DropCountsChangedDecisionsOfProbabilities) {
  const std::vector<TensorMap> reference = {{{"p", floats({2, 2}, {0.9F, 0.1F, 0.2F, 0.8F})}}};
  const std::vector<TensorMap> other = {{{"p", floats({2, 2}, {0.6F, 0.4F, 0.7F, 0.3F})}}};
  const auto drop = accuracy_drop(reference, other);
  EXPECT_EQ(drop.percent, 50);
  EXPECT_EQ(drop.compared_by, "decision agreement on p");
}

TEST(Metrics, TheFirstOfTheLargestIsTheDecisionHoweverWideTheRow) {
  std::vector<float> row(40, 0.02F);
  row[17] = row[33] = 0.12F;
  std::vector<float> other(40, 0.02F);
  other[17] = other[38] = 0.12F;
  const std::vector<TensorMap> reference = {{{"p", floats({1, 40}, row)}}};
  EXPECT_EQ(accuracy_drop(reference, {{{"p", floats({1, 40}, other)}}}).percent, 0);
  other[3] = 0.12F;
  const auto drop = accuracy_drop(reference, {{{"p", floats({1, 40}, other)}}});
  EXPECT_EQ(drop.percent, 100);
  EXPECT_EQ(drop.compared_by, "decision agreement on p");
}

TEST(Metrics, DropIsThatOfTheOutputWhoseDecisionsChangeMost) {
  const Tensor same = floats({2, 2}, {0.9F, 0.1F, 0.2F, 0.8F});
  const TensorMap reference = {{"a", same}, {"b", same}, {"c", floats({2}, {2, 0})}};
  TensorMap other = reference;
  other["b"] = floats({2, 2}, {0.4F, 0.6F, 0.2F, 0.8F});
  const auto drop = accuracy_drop({reference}, {other});
  EXPECT_EQ(drop.percent, 50);
  EXPECT_EQ(drop.compared_by, "decision agreement on b");
}

TEST(Metrics, DropFallsBackToTheWorstCosine) {
  const std::vector<TensorMap> reference = {
      {{"a", floats({2}, {2, 0})}, {"b", floats({2}, {2, 0})}}};
  const std::vector<TensorMap> other = {{{"a", floats({2}, {2, 0})}, {"b", floats({2}, {1, 1})}}};
  const auto drop = accuracy_drop(reference, other);
  EXPECT_NEAR(drop.percent, 100 * (1 - std::sqrt(0.5)), 1e-6);
  EXPECT_EQ(drop.compared_by, "cosine of b");
}

TEST(Metrics, NoiseOfProbabilitiesDecidesNothing) {
  const TensorMap reference = {{"p", floats({3}, {1e-7F, 0, 3e-8F})}};
  const TensorMap other = {{"p", floats({3}, {0, 0, 0})}};
  EXPECT_EQ(accuracy_drop({reference}, {other}).percent, 100);
  EXPECT_LT(accuracy_drop({reference}, {other}, {"p"}).percent, 1e-3);
  EXPECT_TRUE(insane(reference, other).has_value());
  EXPECT_FALSE(insane(reference, other, {"p"}).has_value());
  EXPECT_LT(compare_outputs(reference, other, {"p"})->front().max_relative_error, 1e-3);
  EXPECT_EQ(compare_outputs(reference, other)->front().max_relative_error, 1);
}

TEST(Metrics, ProbabilitiesThatMatterAreHeldToThem) {
  const TensorMap reference = {{"p", floats({2}, {0.9F, 0})}};
  const TensorMap other = {{"p", floats({2}, {0, 0.9F})}};
  EXPECT_GT(accuracy_drop({reference}, {other}, {"p"}).percent, 99);
  EXPECT_TRUE(insane(reference, {{"p", floats({2}, {0, 0})}}, {"p"}).has_value());
}

TEST(Metrics, RefusesNanAndConstantOutputs) {
  const TensorMap reference = {{"y", floats({2}, {1, 2})}};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(insane(reference, {{"y", floats({2}, {1.1F, 2})}}).has_value());
  EXPECT_TRUE(insane(reference, {{"y", floats({2}, {nan, 2})}}).has_value());
  EXPECT_TRUE(insane(reference, {{"y", floats({2}, {0, 0})}}).has_value());
}

TEST(Metrics, ComparingAnotherShapeIsAnError) {
  const auto result =
      compare_outputs({{"y", floats({2}, {1, 2})}}, {{"y", floats({1, 2}, {1, 2})}});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), ErrorCode::kInvalidArgument);
}

TEST(Metrics, WhereTheReferenceIsNotFiniteNothingIsCompared) {
  const std::vector<double> expected = {1, std::numeric_limits<double>::infinity(), 2};
  const std::vector<double> got = {1, 7, 2.5};
  const std::vector<float> narrow(expected.begin(), expected.end());
  const std::vector<float> narrow_got(got.begin(), got.end());
  const auto wide = [](const std::vector<double>& values) {
    return Tensor{DataType::kDouble, {3}, Bytes::copy_of(std::span(values)), {}};
  };
  const std::vector<std::pair<Tensor, Tensor>> pairs = {
      {make_float_tensor({3}, narrow), make_float_tensor({3}, narrow_got)},
      {wide(expected), wide(got)}};
  for (const auto& [reference, other] : pairs) {
    const auto compared = compare_outputs({{"y", reference}}, {{"y", other}});
    ASSERT_TRUE(compared.has_value());
    EXPECT_DOUBLE_EQ(compared->at(0).max_abs_error, 0.5);
    EXPECT_DOUBLE_EQ(compared->at(0).max_relative_error, 0.25);
    EXPECT_NEAR(compared->at(0).sqnr_db, 10 * std::log10(5 / 0.25), 1e-9);
    EXPECT_FALSE(insane({{"y", reference}}, {{"y", other}}));
    EXPECT_TRUE(insane({{"y", other}}, {{"y", reference}})) << "infinite where the model is not";
  }
}

TEST(Metrics, MedianIntervalHoldsTheMedianAndNarrows) {
  std::vector<double> few = {1, 2, 3, 4, 5};
  EXPECT_EQ(median_interval(few).median, 3);
  EXPECT_EQ(median_interval(few).low, 1);
  EXPECT_EQ(median_interval(few).high, 5);
  std::vector<double> many;
  for (int i = 0; i < 101; ++i) many.push_back(i);
  const Interval interval = median_interval(many);
  EXPECT_EQ(interval.median, 50);
  EXPECT_EQ(interval.low, 40);  // order statistics 41 and 61 of 101: the exact binomial bounds
  EXPECT_EQ(interval.high, 60);
}

TEST(Metrics, QuantileInterpolates) { EXPECT_NEAR(quantile({1, 2, 3, 4}, 0.5), 2.5, 1e-12); }

TEST(Metrics, HalfPrecisionOutputsAreWidened) {
  Tensor half{DataType::kFloat16, {3}, {}, {}};
  const std::vector<uint16_t> bits = {0x3c00, 0xc000, 0x0001};
  half.data = Bytes::copy_of(std::span<const uint16_t>(bits));
  const auto values = as_floats(half);
  ASSERT_TRUE(values.has_value());
  EXPECT_EQ((*values)[0], 1.0F);
  EXPECT_EQ((*values)[1], -2.0F);
  EXPECT_EQ((*values)[2], std::ldexp(1.0F, -24));
}

}  // namespace
}  // namespace wattwise::measure
