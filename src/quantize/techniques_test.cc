// SPDX-License-Identifier: Apache-2.0
#include "quantize/techniques.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "model/test_models.h"
#include "quantize/fit_int8.h"
#include "quantize/int4_columns.h"
#include "quantize/int4_rows.h"

namespace wattwise::quantize {
namespace {

Techniques named(std::vector<std::string> words) {
  QuantizationConfig config;
  config.techniques = std::move(words);
  return Techniques(config);
}

TEST(Techniques, AreTheUsualOnesUnlessTheSettingSaysOtherwise) {
  size_t place = 0;
  for (const TechniqueRow& row : technique_table()) {
    EXPECT_EQ(static_cast<size_t>(row.technique), place++) << row.name;
    const std::string name(row.name);
    EXPECT_EQ(named({}).has(row.technique), row.is_usual) << name;
    EXPECT_TRUE(named({name}).has(row.technique)) << name;
    EXPECT_FALSE(named({"-" + name}).has(row.technique)) << name;
    EXPECT_FALSE(named({name, "-" + name}).has(row.technique)) << name;
    const auto words = technique_words();
    EXPECT_NE(std::find(words.begin(), words.end(), "-" + name), words.end());
  }
  EXPECT_EQ(named({"-clipping_search"}).has(Technique::kGptq), named({}).has(Technique::kGptq));
}

/// Normal numbers have few that are large, which is where clipping gains.
std::vector<float> bell(size_t count) {
  const auto flat = model::random_floats(12 * count, 3);
  std::vector<float> values(count);
  for (size_t i = 0; i < flat.size(); ++i) values[i / 12] += flat[i];
  return values;
}

TEST(ClippingSearch, GainsByCuttingAndWithoutItNothingIsCut) {
  constexpr size_t kCount = 32768;
  constexpr auto kKeep = ScaleChoice::kKeepLargest;
  const auto weights = bell(kCount);
  float most = 0;
  for (const float weight : weights) most = std::max(most, std::fabs(weight));
  const FittedInt8 kept = fit_int8(weights, {1, {1, 1, kCount}, kKeep});
  EXPECT_GE(kept.quantized.scales[0] * 127, most * 0.999F);
  EXPECT_LT(fit_int8(weights, {1, {1, 1, kCount}}).noise, kept.noise);
  const auto pairs = pair_scales(weights, kCount / 2, 2, kKeep);
  for (size_t i = 0; i + 3 < weights.size(); i += 4) {
    for (const size_t column : {0, 1}) {
      const float sum = std::fabs(weights[i + column] + weights[i + 2 + column]);
      EXPECT_LE(sum, pairs[column] * kPairLimit * 1.001F);
    }
  }
  EXPECT_GE(pairs[0], pair_scales(weights, kCount / 2, 2)[0]);
  EXPECT_LT(fit_int4_rows(weights, 64, 32).noise, fit_int4_rows(weights, 64, 32, kKeep).noise);
  const Int4Columns columns = fit_int4_columns(weights, {32, 16, kKeep});
  for (size_t i = 0; i < weights.size(); ++i) {
    const size_t at = i / 32 / 16 * 32 + i % 32;
    const RoundingGrid& grid = columns.grid;
    EXPECT_LE(weights[i], grid.steps[at] * grid.high[at] * 1.001F);
    EXPECT_GE(weights[i], grid.steps[at] * grid.low[at] * 1.001F);
  }
}

}  // namespace
}  // namespace wattwise::quantize
