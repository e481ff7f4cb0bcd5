// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/env.h"
#include "quantize/simd/rounding_kernels.h"

namespace wattwise::quantize {
namespace {

const RoundingKernels& choose() {
  const auto table = rounding_kernel_table();
  const auto wanted = system_env().variable("WATTWISE_KERNELS");
  const RoundingKernels* best = table.data();
  for (const RoundingKernels& kernels : table) {
    if (!kernels.is_runnable()) continue;
    best = &kernels;
    if (wanted == kernels.name) break;
  }
  return *best;
}

}  // namespace

std::span<const RoundingKernels> rounding_kernel_table() {
#if defined(__x86_64__)
  static const std::array table = {kScalarKernels, kAvx2Kernels, kAvx512Kernels};
#elif defined(__aarch64__)
  static const std::array table = {kScalarKernels, kNeonKernels};
#else
  static const std::array table = {kScalarKernels};
#endif
  return table;
}

const RoundingKernels& rounding_kernels() {
  static const RoundingKernels& chosen = choose();
  return chosen;
}

}  // namespace wattwise::quantize
