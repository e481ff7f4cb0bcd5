// SPDX-License-Identifier: Apache-2.0
#include "quantize/simd/rounding_kernels.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace wattwise::quantize {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kDenormal = std::numeric_limits<float>::denorm_min();

/// Halves of steps, whole steps and a little beside, of either sign; NaN, infinity, denormals and
/// the largest floats where `wild`.
std::vector<float> adversarial(size_t count, bool wild, uint32_t seed) {
  std::mt19937 random(seed);
  const std::vector<float> extremes = {kNaN,     kInfinity, -kInfinity, kDenormal, -kDenormal,
                                       1e-39F,   3.4e38F,   -3.4e38F,   0.0F,      -0.0F,
                                       1.2e-38F, -1e-45F,   1e20F,      -1e-30F,   127.5F};
  std::vector<float> out(count);
  for (float& x : out) {
    const auto halves = static_cast<float>(static_cast<int>(random() % 512) - 256);
    const auto any = (static_cast<float>(random() % 100001) - 50000) / 400;
    x = random() % 2 == 0 ? halves / 2 : any;
    if (random() % 8 == 0) x = std::nextafter(x, random() % 2 == 0 ? 1e9F : -1e9F);
    if (wild && random() % 4 == 0) x = extremes[random() % extremes.size()];
  }
  return out;
}

/// Scales from far too small to far too large, most of them about 1.
std::vector<float> scales(size_t count, uint32_t seed) {
  std::mt19937 random(seed + 1000);
  std::vector<float> out(count, 1);
  for (float& scale : out) {
    if (random() % 3 == 0) scale = static_cast<float>(random() % 1000 + 1) / 500;
    if (random() % 16 == 0) scale = std::ldexp(1.0F, static_cast<int>(random() % 250) - 125);
  }
  return out;
}

std::vector<float> inverses_of(const std::vector<float>& all) {
  std::vector<float> out;
  for (const float scale : all) out.push_back(1 / scale);
  return out;
}

/// The bits of numbers; every NaN is the same, since instructions choose its bits freely.
std::vector<uint32_t> bits(const std::vector<float>& numbers) {
  std::vector<uint32_t> out;
  for (const float x : numbers) out.push_back(std::bit_cast<uint32_t>(std::isnan(x) ? kNaN : x));
  return out;
}
std::vector<uint32_t> sum_bits(const SquaredSums& sums) { return bits({sums.signal, sums.noise}); }

const FileFloat* file(const std::vector<float>& values) {
  return reinterpret_cast<const FileFloat*>(values.data());
}

const RoundingKernels& reference() { return rounding_kernel_table().front(); }

/// Inputs of one comparison.
struct Case {
  size_t count;
  std::vector<float> a, b, scale, inverse;
  ColumnScales columns() const { return {scale.data(), inverse.data(), count}; }
};

template <typename Check>
void for_each_case(const Check& check) {
  uint32_t seed = 0;
  for (const size_t count : {0u, 1u, 3u, 4u, 7u, 8u, 9u, 15u, 16u, 17u, 31u, 33u, 63u, 200u}) {
    for (const bool wild : {false, true, true}) {
      ++seed;
      const auto scale = scales(count, seed);
      const Case inputs{count, adversarial(count, wild, seed), adversarial(count, wild, seed + 99),
                        scale, inverses_of(scale)};
      for (const RoundingKernels& kernels : rounding_kernel_table()) {
        if (kernels.is_runnable()) check(kernels, inputs);
      }
    }
  }
}

TEST(RoundingKernels, LargestWeightsAgree) {
  for_each_case([](const RoundingKernels& kernels, const Case& in) {
    EXPECT_EQ(bits({kernels.largest(file(in.a), in.count)}),
              bits({reference().largest(file(in.a), in.count)}))
        << kernels.name << " " << in.count;
    auto found = in.scale;
    auto expected = in.scale;
    kernels.raise_largest(file(in.a), in.count, found.data());
    reference().raise_largest(file(in.a), in.count, expected.data());
    kernels.raise_largest_sum(file(in.a), file(in.b), in.count, found.data());
    reference().raise_largest_sum(file(in.a), file(in.b), in.count, expected.data());
    EXPECT_EQ(bits(found), bits(expected)) << kernels.name << " " << in.count;
  });
}

TEST(RoundingKernels, ErrorsAgree) {
  for_each_case([](const RoundingKernels& kernels, const Case& in) {
    auto found = in.a;
    auto expected = in.a;
    kernels.add_errors(file(in.b), in.columns(), found.data());
    reference().add_errors(file(in.b), in.columns(), expected.data());
    kernels.add_pair_errors(file(in.a), file(in.b), in.columns(), found.data());
    reference().add_pair_errors(file(in.a), file(in.b), in.columns(), expected.data());
    EXPECT_EQ(bits(found), bits(expected)) << kernels.name << " " << in.count;
    for (const float scale : {1.0F, 0.3F, 1e-30F, 1e30F}) {
      EXPECT_EQ(sum_bits(kernels.round_error(file(in.a), in.count, scale)),
                sum_bits(reference().round_error(file(in.a), in.count, scale)))
          << kernels.name << " " << in.count << " " << scale;
    }
  });
}

TEST(RoundingKernels, IntegersAgree) {
  for_each_case([](const RoundingKernels& kernels, const Case& in) {
    std::vector<int8_t> found(2 * in.count);
    std::vector<int8_t> expected(2 * in.count);
    kernels.round(file(in.a), in.count, 0.7F, found.data());
    reference().round(file(in.a), in.count, 0.7F, expected.data());
    kernels.round_each(file(in.b), in.inverse, found.data() + in.count);
    reference().round_each(file(in.b), in.inverse, expected.data() + in.count);
    EXPECT_EQ(found, expected) << kernels.name << " " << in.count;
    EXPECT_EQ(sum_bits(kernels.loss(file(in.a), found.data(), in.count, 0.7F)),
              sum_bits(reference().loss(file(in.a), found.data(), in.count, 0.7F)));
    auto signal = in.a;
    auto noise = in.b;
    auto expected_signal = in.a;
    auto expected_noise = in.b;
    kernels.add_losses(file(in.b), found.data(), in.scale, {signal.data(), noise.data()});
    reference().add_losses(file(in.b), found.data(), in.scale,
                           {expected_signal.data(), expected_noise.data()});
    EXPECT_EQ(bits(signal), bits(expected_signal)) << kernels.name << " " << in.count;
    EXPECT_EQ(bits(noise), bits(expected_noise)) << kernels.name << " " << in.count;
    auto both = in.a;
    both.insert(both.end(), in.b.begin(), in.b.end());
    kernels.round_pairs(file(both), in.inverse, in.count, found.data());
    reference().round_pairs(file(both), in.inverse, in.count, expected.data());
    EXPECT_EQ(found, expected) << kernels.name << " " << in.count;
  });
}

TEST(RoundingKernels, FourBitBlocksAgree) {
  uint32_t seed = 0;
  for (const size_t rows : {1u, 2u, 15u, 16u, 31u, 32u, 33u, 64u, 101u, 256u}) {
    for (const size_t columns : {1u, 8u, 16u, 17u, 48u, 63u, 64u}) {
      const bool wild = ++seed % 2 == 0;
      const auto weights = adversarial(rows * 70, wild, seed);
      const TileView tile{file(weights), 70, rows, columns};
      for (const RoundingKernels& kernels : rounding_kernel_table()) {
        if (!kernels.is_runnable()) continue;
        Int4Tile found{};
        Int4Tile expected{};
        kernels.round_int4(tile, found);
        reference().round_int4(tile, expected);
        const auto whole = [](const auto& numbers) {
          return bits({numbers.begin(), numbers.end()});
        };
        EXPECT_TRUE(whole(found.scale) == whole(expected.scale)) << kernels.name << rows;
        EXPECT_TRUE(whole(found.zero) == whole(expected.zero)) << kernels.name << rows;
        EXPECT_TRUE(found.packed == expected.packed) << kernels.name << rows << "x" << columns;
      }
    }
  }
}

TEST(RoundingKernels, ErrorsOfFourBitsAgree) {
  uint32_t seed = 0;
  for (const size_t rows : {2u, 16u, 18u, 64u}) {
    for (const size_t columns : {1u, 7u, 16u, 17u, 48u, 64u}) {
      const bool wild = ++seed % 2 == 0;
      const auto weights = adversarial(rows * 70, wild, seed);
      const auto importance = adversarial(rows, false, seed + 1000);
      std::vector<float> step(columns);
      std::vector<float> limit(columns);
      for (size_t c = 0; c < columns; ++c) {
        step[c] = 0.1F + 0.01F * static_cast<float>(c % 9);
        limit[c] = static_cast<float>(8 + c % 9);
      }
      const TileView tile{file(weights), 70, rows, columns};
      for (const RoundingKernels& kernels : rounding_kernel_table()) {
        if (!kernels.is_runnable()) continue;
        for (const float* weight : {static_cast<const float*>(nullptr), importance.data()}) {
          std::vector<float> found(columns);
          std::vector<float> expected(columns);
          kernels.paired_errors(tile, {step.data(), limit.data(), weight}, found.data());
          reference().paired_errors(tile, {step.data(), limit.data(), weight}, expected.data());
          EXPECT_EQ(bits(found), bits(expected)) << kernels.name << rows << "x" << columns;
        }
        const Int4Fit fit{0.3F, 6};
        const size_t count = std::min(weights.size(), rows * columns);
        EXPECT_EQ(bits({kernels.fit_error(weights.data(), count, fit)}),
                  bits({reference().fit_error(weights.data(), count, fit)}))
            << kernels.name << count;
      }
    }
  }
}

TEST(RoundingKernels, LooksAtActivationsAgree) {
  for_each_case([](const RoundingKernels& kernels, const Case& in) {
    for (const Range common : {Range{-20, 30}, Range{-kInfinity, kInfinity}}) {
      std::vector<float> expected(in.count);
      std::vector<float> found(in.count);
      const ValueLook want = reference().look(in.a, common, expected.data());
      const ValueLook look = kernels.look(in.a, common, found.data());
      EXPECT_EQ(bits({look.low, look.high}), bits({want.low, want.high})) << kernels.name;
      EXPECT_EQ(look.is_finite, want.is_finite) << kernels.name << " " << in.count;
      EXPECT_EQ(look.outside, want.outside) << kernels.name << " " << in.count;
      EXPECT_EQ(bits(found), bits(expected)) << kernels.name << " " << in.count;
    }
  });
}

TEST(RoundingKernels, TheReferenceTellsWhatLiesOutside) {
  const std::vector<float> values = {1, -3, kNaN, 5, 2, kInfinity};
  std::vector<float> outside(values.size());
  const ValueLook look = reference().look(values, {-2, 4}, outside.data());
  EXPECT_EQ(look.low, -3);
  EXPECT_EQ(look.high, kInfinity);
  EXPECT_FALSE(look.is_finite);
  outside.resize(look.outside);
  EXPECT_EQ(outside, (std::vector<float>{-3, 5, kInfinity}));
  EXPECT_TRUE(reference().look(std::span(values).first(2), {-9, 9}, nullptr).is_finite);
}

TEST(RoundingKernels, PairsThatAreTooMuchGiveUpHalfEach) {
  const std::vector<float> pair = {7, 6};  // one column, two rows
  const float step = 1;
  const float limit = 9;
  float error = 0;
  reference().paired_errors({file(pair), 1, 2, 1}, {&step, &limit, nullptr}, &error);
  EXPECT_EQ(error, 8) << "both are 2 off";
  const std::vector<float> apart = {7, -6};
  reference().paired_errors({file(apart), 1, 2, 1}, {&step, &limit, nullptr}, &error);
  EXPECT_EQ(error, 0) << "of different signs they cannot add up";
}

TEST(RoundingKernels, TheReferenceRoundsHalfToEvenAndKeepsTheRuleOfPairs) {
  const std::vector<float> weights = {0.5F, 1.5F, -2.5F, 300, -300, kNaN};
  std::vector<int8_t> q(weights.size());
  reference().round(file(weights), weights.size(), 1, q.data());
  EXPECT_EQ(q, (std::vector<int8_t>{0, 2, -2, 127, -127, -127}));
  const std::vector<float> pair = {100, -90, 60, /**/ 33, -90, -70};
  q.resize(6);
  reference().round_pairs(file(pair), std::vector<float>{1, 1, 1}, 3, q.data());
  EXPECT_EQ(q, (std::vector<int8_t>{98, -64, 60, /**/ 30, -64, -70}));
}

}  // namespace
}  // namespace wattwise::quantize
