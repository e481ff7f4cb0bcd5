// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quantize/convolution_weights.h"
#include "quantize/gptq.h"

namespace wattwise::quantize {

// Bias correction (Nagel and others, 2019, "Data-Free Quantization Through Weight Equalization and
// Bias Correction", section 4.2): weights W that become Q shift the products' mean by
// E[Q x] - E[W x] = (Q - W) E[x], which a bias takes back. E[x] is that of calibration data.

/// W^T E[x] - Q^T E[x] for each column of a matrix [rows, columns], Q = steps x rounded: what the
/// bias must gain. `means` has a number for each row.
std::vector<float> bias_change(std::span<const float> means, Floats weights,
                               std::span<const int8_t> rounded, const RoundingGrid& grid);

/// The same for each output of a convolution.
std::vector<float> bias_change(const ConvolutionMeans& means, Floats weights,
                               const Int8Weights& rounded, const ConvolutionShape& shape);

/// For each tap of a Conv the share of its outputs for which it reads the input and no padded zero,
/// at these sizes of kernel and input.
std::vector<float> tap_shares(const model::Node& node, std::span<const int64_t> kernel,
                              std::span<const int64_t> sizes);

/// X^T X of `rows` inputs becomes that of what they differ from their means, (X - E[x])^T
/// (X - E[x]): the error that rounding has to keep small where a bias takes back that of the mean.
std::vector<float> centred_gram(std::span<const float> gram, std::span<const float> means,
                                int64_t rows);

}  // namespace wattwise::quantize
