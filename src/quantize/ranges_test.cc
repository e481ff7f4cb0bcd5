// SPDX-License-Identifier: Apache-2.0
#include "quantize/ranges.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "model/test_models.h"
#include "quantize/activation_grid.h"

namespace wattwise::quantize {
namespace {

using model::random_floats;

int64_t total(const ActivationStatistics& statistics) {
  const auto& counts = statistics.counts();
  return std::accumulate(counts.begin(), counts.end(), int64_t{0});
}

Range choose(std::string_view name, const ActivationStatistics& statistics) {
  for (const RangeMethod& method : range_methods()) {
    if (method.name == name) return method.choose(statistics);
  }
  ADD_FAILURE() << name;
  return {};
}

TEST(ActivationStatistics, CountsAlikeInWhateverOrderSamplesCome) {
  std::vector<std::vector<float>> samples;
  for (uint32_t i = 0; i < 6; ++i) {
    auto sample = random_floats(500, i);
    for (float& x : sample) x *= std::pow(10.0F, static_cast<float>(i) - 3);
    samples.push_back(std::move(sample));
  }
  ActivationStatistics forward;
  ActivationStatistics backward;
  for (const auto& sample : samples) forward.add(sample);
  for (auto it = samples.rbegin(); it != samples.rend(); ++it) backward.add(*it);
  EXPECT_EQ(forward.counts(), backward.counts());
  EXPECT_EQ(forward.first_bin(), backward.first_bin());
  EXPECT_EQ(forward.bin_width(), backward.bin_width());
  EXPECT_EQ(total(forward), 3000);
  EXPECT_LE(forward.counts().size(), static_cast<size_t>(ActivationStatistics::kMostBins));
  EXPECT_EQ(forward.samples(), 6);
  std::vector<float> all;
  for (const auto& sample : samples) all.insert(all.end(), sample.begin(), sample.end());
  EXPECT_EQ(forward.extremes().low, *std::min_element(all.begin(), all.end()));
  EXPECT_EQ(forward.extremes().high, *std::max_element(all.begin(), all.end()));
}

TEST(ActivationStatistics, WhatEndsABinMayOutgrowThemAll) {
  ActivationStatistics statistics;
  statistics.add(random_floats(1000, 5));
  const double width = statistics.bin_width();
  const auto bins = static_cast<int64_t>(statistics.counts().size());
  const auto end = static_cast<float>(width * static_cast<double>(statistics.first_bin() + bins));
  ASSERT_GT(end, statistics.extremes().high);
  statistics.add(std::vector<float>(1000, end));
  EXPECT_EQ(statistics.extremes().high, end);
  EXPECT_EQ(total(statistics), 2000);
  EXPECT_EQ(statistics.counts().back(), 1000);
}

TEST(ActivationStatistics, EveryElementLiesInItsBin) {
  ActivationStatistics statistics;
  const auto values = random_floats(1000, 3);
  statistics.add(values);
  statistics.add(std::vector<float>{50});
  std::vector<int64_t> expected(statistics.counts().size());
  const auto count = [&](float x) {
    const auto bin = static_cast<int64_t>(std::floor(x / statistics.bin_width()));
    ++expected.at(static_cast<size_t>(bin - statistics.first_bin()));
  };
  for (const float x : values) count(x);
  count(50);
  EXPECT_EQ(statistics.counts(), expected);
}

TEST(ActivationStatistics, LeavesOutWhatIsNoNumber) {
  const float infinity = std::numeric_limits<float>::infinity();
  ActivationStatistics statistics;
  statistics.add(std::vector<float>{std::nanf(""), infinity});
  EXPECT_EQ(statistics.samples(), 0);
  statistics.add(std::vector<float>{1, std::nanf(""), -infinity, 2});
  EXPECT_EQ(total(statistics), 2);
  EXPECT_EQ(statistics.extremes().low, 1);
  EXPECT_EQ(statistics.extremes().high, 2);
  statistics.add({});
  EXPECT_EQ(statistics.samples(), 1);
}

TEST(ActivationStatistics, RaisesWhatIsBelowABound) {
  ActivationStatistics statistics;
  statistics.add(random_floats(1000, 4));
  const ActivationStatistics raised = statistics.raised_to(-0.25F);
  EXPECT_EQ(total(raised), 1000);
  EXPECT_EQ(raised.extremes().low, -0.25F);
  EXPECT_EQ(raised.extremes().high, statistics.extremes().high);
  const auto bin = static_cast<size_t>(
      static_cast<int64_t>(std::floor(-0.25 / raised.bin_width())) - raised.first_bin());
  EXPECT_GT(raised.counts()[bin], 300);
  EXPECT_EQ(raised.counts()[0], 0);
  EXPECT_EQ(statistics.raised_to(-5).counts(), statistics.counts());
}

TEST(RangeMethods, DifferInWhatTheyDoAboutAnOutlier) {
  ActivationStatistics statistics;
  for (uint32_t seed = 0; seed < 20; ++seed) statistics.add(random_floats(10000, seed));
  auto with_outlier = random_floats(10000, 20);
  with_outlier[5000] = 8;
  statistics.add(with_outlier);
  EXPECT_EQ(choose("minmax", statistics).high, 8);
  EXPECT_NEAR(choose("moving_average", statistics).high, 1 + 7.0 / 21, 0.01);
  EXPECT_NEAR(choose("percentile", statistics).high, 1, 0.02);
  EXPECT_LT(choose("mse", statistics).high, 8);
  EXPECT_LT(choose("entropy", statistics).high, 8);
  for (const RangeMethod& method : range_methods()) {
    const Range range = method.choose(statistics);
    EXPECT_GE(range.low, -1.001) << method.name;
    EXPECT_LT(range.low, -0.8) << method.name;
  }
}

TEST(RangeMethods, CopeWithAValueThatNeverChanges) {
  for (const float value : {0.0F, 3.0F, -1e-30F}) {
    ActivationStatistics statistics;
    statistics.add(std::vector<float>(100, value));
    for (const RangeMethod& method : range_methods()) {
      const Grid grid = make_grid({method.choose(statistics), {}, {}});
      EXPECT_TRUE(std::isfinite(grid.scale) && grid.scale > 0) << method.name << " " << value;
    }
  }
}

TEST(ActivationGrid, ZeroAndRootsAreLevels) {
  const Grid positive = make_grid({{1, 5}, {}, {}});
  EXPECT_EQ(positive.zero, 0);
  EXPECT_FLOAT_EQ(positive.scale, 5.0F / 255);
  const Grid grid = make_grid({{-4, 7}, {}, {-3}});
  const double steps = 3 / static_cast<double>(grid.scale);
  EXPECT_NEAR(steps, std::nearbyint(steps), 1e-5) << "where HardSwish begins";
  EXPECT_LE(-grid.scale * static_cast<float>(grid.zero), -4 + grid.scale);
  EXPECT_GE(grid.scale * static_cast<float>(255 - grid.zero), 7 - grid.scale);
}

TEST(ActivationGrid, ReadsTheSameBytesAsAnotherValue) {
  const Grid stored = make_grid({{-2, 3}, {-1.5}, {}});
  const Grid read = read_as(stored, 0.5, 0.75);
  for (const int q : {0, 17, 255}) {
    const double x = static_cast<double>(stored.scale) * (q - stored.zero);
    const double y = static_cast<double>(read.scale) * (q - read.zero) + read.offset;
    EXPECT_NEAR(y, 0.5 * x + 0.75, 1e-6);
  }
  const ByteBounds bounds = bytes_within(stored, {1, 0, 0, 1});
  EXPECT_EQ(bounds.low, stored.zero);
  EXPECT_EQ(bounds.high, stored.zero + 51);
}

TEST(ActivationStatistics, RareElementsAreAllCounted) {
  ActivationStatistics statistics;
  const size_t size = 50 * ActivationStatistics::kCountedPerSample;
  auto values = random_floats(size, 1);
  values[0] = 10;  // so that later ones change no bins
  statistics.add(values);
  EXPECT_EQ(total(statistics), static_cast<int64_t>(size)) << "of the first sample, each";
  values = random_floats(size, 2);
  values[0] = 0;
  for (const size_t at : {5, 1234, 77777}) values[at] = 9;
  statistics.add(values);
  int64_t large = 0;
  for (size_t i = 0; i < statistics.counts().size(); ++i) {
    const double low = static_cast<double>(statistics.first_bin() + static_cast<int64_t>(i)) *
                       statistics.bin_width();
    if (low > 8) large += statistics.counts()[i];
  }
  EXPECT_EQ(large, 4);
  EXPECT_NEAR(static_cast<double>(total(statistics)), 2.0 * static_cast<double>(size), 0.02 * size)
      << "those that are left out have others stand for them";
}

}  // namespace
}  // namespace wattwise::quantize
