// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "quantize/convolution_weights.h"

namespace wattwise::quantize {

/// Scales for the columns of a convolution, [inputs x taps, outputs], whose products are added two
/// by two. Where it is known what the convolution reads, each column takes of pair_scale_trials(),
/// if that is worth cutting weights off for, the one with the least expected squared error of the
/// output,
///
///   E[(sum of e_i x_i)^2] = sum of e_i^2 Var[x_i] + (sum of e_i E[x_i])^2
///
/// with e_i the errors of the weights and x_i what they multiply, as good as independent of each
/// other. The second part is what the squared error of the weights leaves out: pairs that are cut
/// off err to the same side, and after a ReLU all that they multiply is positive. Where a bias
/// takes back the mean's error, that part is left out. Where nothing is known, and where nothing is
/// to be searched, as pair_scales().
std::vector<float> pair_scales_for_input(const std::vector<float>& columns,
                                         const ConvolutionShape& shape,
                                         const ConvolutionInput& input);

}  // namespace wattwise::quantize
