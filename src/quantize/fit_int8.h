// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "quantize/kernels.h"

namespace wattwise::quantize {

/// A row-major array seen as [parts, outer, channels, inner]: one scale per part and channel.
struct PartedLayout {
  size_t parts = 1;
  ChannelLayout channels;
  ScaleChoice choice = ScaleChoice::kLeastError;
};

/// int8 weights and what rounding cost.
struct FittedInt8 {
  Int8Weights quantized;
  double signal = 0;  ///< sum of the squared weights
  double noise = 0;   ///< sum of the squared errors
  double sqnr_db() const { return decibels(signal, noise); }
};

/// Symmetric int8 as quantize_int8, with the scale of each channel that loses least: of eight from
/// the one that keeps its largest weight down to 0.72 of it, the one with the least squared error;
/// what lies beyond is cut off; or just the one that keeps the largest weight. Scales are values
/// that 16 bits hold, if they are not too small.
FittedInt8 fit_int8(Floats weights, const PartedLayout& layout);

/// Rounds half to even for |x| < 2^22, in a form that every compiler vectorizes: adding 1.5 x 2^23
/// leaves no bits for the fraction.
inline float round_small(float x) {
  constexpr float kNoFraction = 12582912;
  return (x + kNoFraction) - kNoFraction;
}

/// The nearest scale that 16 bits hold; `scale` itself where they would keep less than 6 bits of
/// it.
float scale_of_16_bits(float scale);
/// The same, or `otherwise` where the scale is no normal number: such steps are as good as none,
/// and processors take a hundred times as long for them.
float normal_scale_of_16_bits(float scale, float otherwise);

/// How the weights that share an output channel are parted: each part of consecutive ones has a
/// scale of its own.
struct Parts {
  size_t count = 1;  ///< 1: the channel is not parted
  size_t size = 0;   ///< weights in each
};
/// Parts of about `size` weights: as many as divide `length` evenly into parts of 2/3 to 3/2 of it.
Parts parts_of(size_t length, size_t size);

}  // namespace wattwise::quantize
