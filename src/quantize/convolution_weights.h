// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/graph.h"
#include "quantize/floats.h"
#include "quantize/kernels.h"
#include "wattwise/types.h"

namespace wattwise::quantize {

/// Convolution weights [outputs, inputs of a group, taps...] as the kernels multiply them: one
/// column per output, whose rows run over taps, and over input channels within a tap.
struct ConvolutionShape {
  size_t outputs = 0;
  size_t inputs = 0;
  size_t taps = 1;
  /// Products are added two by two, so that the pair rule of kernels.h holds. False where each
  /// group has one input and one output channel, which are multiplied one by one, and for the full
  /// range.
  bool paired = true;
  ScaleChoice choice = ScaleChoice::kLeastError;
  bool one_scale = false;  ///< the largest, for all outputs
};
ConvolutionShape convolution_shape(const model::Constant& weights, int64_t groups);

/// int8 weights and int32 bias of an integer convolution. y = scales[c] x input scale x sum.
struct IntegerConvolution {
  Int8Weights weights;  ///< in the order of the file
  std::vector<int32_t> bias;
  double weight_sqnr_db = 0;
  size_t widened = 0;  ///< channels whose scale is larger than their weights ask for
};

/// What the taps of a convolution read on the average.
struct ConvolutionMeans {
  std::span<const float> channels = {};  ///< of each input channel; empty: they are not known
  std::span<const float> squares = {};   ///< of the squares of each
  std::vector<float> tap_shares = {};    ///< see bias_correction.h
};

/// What the convolution reads: x = scale (q - zero point) + offset.
struct ConvolutionInput {
  double scale = 1;
  double offset = 0;  ///< goes into the bias, exactly where no zeros are padded
  ConvolutionMeans means = {};
  bool corrects_bias = false;  ///< what rounding adds to the mean is taken back, if it is known
};

/// Quantizes weights and bias at scales[c] x input scale. A bias that int32 could not hold beside
/// the products makes its channel's scale larger; it is corrected by bias_correction.h afterwards,
/// if that is asked for. Scales are chosen by convolution_scales.h where means are known.
/// `bias` is empty or has one number for each output.
IntegerConvolution quantize_convolution(Floats weights, const ConvolutionShape& shape,
                                        const std::vector<float>& bias,
                                        const ConvolutionInput& input);

/// Says in the layer's record which channels' scales the bias made larger, if any.
void tell_widened(const IntegerConvolution& made, LayerQuantization& layer);

/// Pairs of such weights, [outputs, inputs, taps], that break the rule of kernels.h.
int64_t count_unsafe_pairs(std::span<const int8_t> values, const ConvolutionShape& shape);

}  // namespace wattwise::quantize
