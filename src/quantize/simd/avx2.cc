// SPDX-License-Identifier: Apache-2.0
#include "quantize/simd/rounding_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "quantize/simd/elements.h"

namespace wattwise::quantize {
namespace {

#define KERNEL_TARGET __attribute__((target("avx2")))
using Vector = __m256;
constexpr size_t kWidth = 8;

KERNEL_TARGET inline Vector set(float x) { return _mm256_set1_ps(x); }
KERNEL_TARGET inline Vector load(const float* x) { return _mm256_loadu_ps(x); }
KERNEL_TARGET inline void store(float* to, Vector x) { _mm256_storeu_ps(to, x); }
KERNEL_TARGET inline Vector larger(Vector a, Vector b) { return _mm256_max_ps(a, b); }
KERNEL_TARGET inline Vector smaller(Vector a, Vector b) { return _mm256_min_ps(a, b); }
KERNEL_TARGET inline Vector magnitude(Vector x) { return _mm256_andnot_ps(set(-0.0F), x); }
KERNEL_TARGET inline Vector with_sign_of(Vector x, Vector sign) {
  return _mm256_or_ps(x, _mm256_and_ps(sign, set(-0.0F)));
}
/// The lowest byte of each, as an integer.
KERNEL_TARGET inline void store_bytes(void* to, Vector x) {
  const __m256i low = _mm256_and_si256(_mm256_cvtps_epi32(x), _mm256_set1_epi32(0xff));
  const __m128i words =
      _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
  _mm_storel_epi64(static_cast<__m128i*>(to), _mm_packus_epi16(words, words));
}
KERNEL_TARGET inline Vector load_bytes(const int8_t* from) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
}
/// Whether an element of a is larger than that of b.
KERNEL_TARGET inline bool has_larger(Vector a, Vector b) {
  return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GT_OQ)) != 0;
}

#include "quantize/simd/vector_body.h"
#include "quantize/simd/vector_int4_body.h"

}  // namespace

const RoundingKernels kAvx2Kernels =
    vector_kernels("avx2", [] { return __builtin_cpu_supports("avx2") != 0; });

}  // namespace wattwise::quantize
#endif
