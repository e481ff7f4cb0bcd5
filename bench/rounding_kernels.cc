// SPDX-License-Identifier: Apache-2.0
// Weights a second and core that every set of rounding kernels handles on this machine.
//
//     cmake --build --preset release --target rounding_kernels_bench
//     build/release/rounding_kernels_bench
//
// The matrix is one of MiniLM's larger ones. Each figure is the fastest of many rounds by CPU
// time, in 10^9 weights a second.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "core/env.h"
#include "quantize/simd/rounding_kernels.h"

namespace wattwise::quantize {
namespace {

constexpr size_t kRows = 384;
constexpr size_t kColumns = 1536;
constexpr size_t kBlock = 32;
constexpr float kScale = 0.0008F;
constexpr int kRounds = 50;

double weights_per_second(const std::function<void()>& work) {
  double least = std::numeric_limits<double>::infinity();
  for (int round = 0; round < kRounds; ++round) {
    const double start = system_env().process_cpu_now().count();
    work();
    least = std::min(least, system_env().process_cpu_now().count() - start);
  }
  return static_cast<double>(kRows * kColumns) / least;
}

struct Work {
  std::string_view name;
  std::function<void(const RoundingKernels&)> run;
};

std::vector<Work> all_work(const std::vector<float>& weights) {
  static std::vector<float> scales(kColumns, kScale), inverse(kColumns, 1 / kScale),
      errors(kColumns);
  static std::vector<int8_t> integers(weights.size());
  static Int4Tile tile{};
  const auto* w = reinterpret_cast<const FileFloat*>(weights.data());
  const auto row = [=](size_t i) { return w + i * kColumns; };
  const auto q = [](size_t i) { return integers.data() + i * kColumns; };
  return {
      {"int4 blocks of 32: fit, round, pack",
       [=](const RoundingKernels& kernels) {
         for (size_t i = 0; i < kRows; i += kBlock) {
           for (size_t c = 0; c < kColumns; c += kTileColumns) {
             kernels.round_int4({row(i) + c, kColumns, kBlock, kTileColumns}, tile);
           }
         }
       }},
      {"int8 of a channel, one trial of a scale",
       [=](const RoundingKernels& kernels) {
         for (size_t i = 0; i < kRows; ++i) {
           errors[0] += kernels.round_error(row(i), kColumns, kScale).noise;
         }
       }},
      {"int8 of a channel, rounding",
       [=](const RoundingKernels& kernels) {
         for (size_t i = 0; i < kRows; ++i) kernels.round(row(i), kColumns, kScale, q(i));
       }},
      {"int8 per column, one trial of scales",
       [=](const RoundingKernels& kernels) {
         const ColumnScales all{scales.data(), inverse.data(), kColumns};
         for (size_t i = 0; i < kRows; ++i) kernels.add_errors(row(i), all, errors.data());
       }},
      {"int8 in pairs, one trial of scales",
       [=](const RoundingKernels& kernels) {
         const ColumnScales all{scales.data(), inverse.data(), kColumns};
         for (size_t i = 0; i < kRows; i += 2) {
           kernels.add_pair_errors(row(i), row(i + 1), all, errors.data());
         }
       }},
      {"int8 in pairs, rounding",
       [=](const RoundingKernels& kernels) {
         for (size_t i = 0; i < kRows; i += 2) kernels.round_pairs(row(i), inverse, kColumns, q(i));
       }},
  };
}

void measure() {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 0.03F);
  std::vector<float> weights(kRows * kColumns);
  for (float& weight : weights) weight = normal(random);
  for (const Work& work : all_work(weights)) {
    fmt::print("{:<42}", work.name);
    for (const RoundingKernels& kernels : rounding_kernel_table()) {
      if (!kernels.is_runnable()) continue;
      const double rate = weights_per_second([&] { work.run(kernels); });
      fmt::print("  {} {:5.2f}", kernels.name, rate / 1e9);
    }
    fmt::print("\n");
  }
}

}  // namespace
}  // namespace wattwise::quantize

int main() {
  wattwise::quantize::measure();
  return 0;
}
