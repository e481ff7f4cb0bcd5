// SPDX-License-Identifier: Apache-2.0
#include "quantize/simd/rounding_kernels.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "quantize/simd/elements.h"

namespace wattwise::quantize {
namespace {

#define KERNEL_TARGET
using Vector = float32x4_t;
constexpr size_t kWidth = 4;

inline Vector set(float x) { return vdupq_n_f32(x); }
inline Vector load(const float* x) { return vld1q_f32(x); }
inline void store(float* to, Vector x) { vst1q_f32(to, x); }
// The instructions for these give NaN if one is NaN.
inline Vector larger(Vector a, Vector b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
inline Vector smaller(Vector a, Vector b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
inline Vector magnitude(Vector x) { return vabsq_f32(x); }
inline Vector with_sign_of(Vector x, Vector sign) {
  return vbslq_f32(vdupq_n_u32(0x80000000U), sign, x);
}
/// The lowest byte of each, as an integer.
inline void store_bytes(void* to, Vector x) {
  const int16x4_t words = vmovn_s32(vcvtq_s32_f32(x));
  const uint8x8_t bytes = vreinterpret_u8_s8(vmovn_s16(vcombine_s16(words, words)));
  std::memcpy(to, &bytes, 4);
}
inline Vector load_bytes(const int8_t* from) {
  int8x8_t bytes = vdup_n_s8(0);
  std::memcpy(&bytes, from, 4);
  return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(bytes))));
}
/// Whether an element of a is larger than that of b.
inline bool has_larger(Vector a, Vector b) { return vmaxvq_u32(vcgtq_f32(a, b)) != 0; }

#include "quantize/simd/vector_body.h"
#include "quantize/simd/vector_int4_body.h"

}  // namespace

const RoundingKernels kNeonKernels = vector_kernels("neon", [] { return true; });

}  // namespace wattwise::quantize
#endif
