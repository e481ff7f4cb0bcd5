// SPDX-License-Identifier: Apache-2.0
#include "quantize/simd/rounding_kernels.h"

#if defined(__x86_64__)
#if !defined(__clang__)
// The intrinsics start some operations from values that they overwrite.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "quantize/simd/elements.h"

namespace wattwise::quantize {
namespace {

#define KERNEL_TARGET __attribute__((target("avx512f,avx512dq")))
using Vector = __m512;
constexpr size_t kWidth = 16;

KERNEL_TARGET inline Vector set(float x) { return _mm512_set1_ps(x); }
KERNEL_TARGET inline Vector load(const float* x) { return _mm512_loadu_ps(x); }
KERNEL_TARGET inline void store(float* to, Vector x) { _mm512_storeu_ps(to, x); }
KERNEL_TARGET inline Vector larger(Vector a, Vector b) { return _mm512_max_ps(a, b); }
KERNEL_TARGET inline Vector smaller(Vector a, Vector b) { return _mm512_min_ps(a, b); }
KERNEL_TARGET inline Vector magnitude(Vector x) { return _mm512_andnot_ps(set(-0.0F), x); }
KERNEL_TARGET inline Vector with_sign_of(Vector x, Vector sign) {
  return _mm512_or_ps(x, _mm512_and_ps(sign, set(-0.0F)));
}
/// The lowest byte of each, as an integer.
KERNEL_TARGET inline void store_bytes(void* to, Vector x) {
  _mm_storeu_si128(static_cast<__m128i*>(to), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x)));
}
KERNEL_TARGET inline Vector load_bytes(const int8_t* from) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
}
/// Whether an element of a is larger than that of b.
KERNEL_TARGET inline bool has_larger(Vector a, Vector b) {
  return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ) != 0;
}

#include "quantize/simd/vector_body.h"
#include "quantize/simd/vector_int4_body.h"

}  // namespace

const RoundingKernels kAvx512Kernels = vector_kernels("avx512", [] {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512dq") != 0;
});

}  // namespace wattwise::quantize
#endif
