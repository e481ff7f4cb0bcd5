// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "quantize/formats.h"
#include "quantize/quantize_weights.h"

namespace wattwise::quantize {

/// Marks the weights whose results lead to a Log through operators that keep what is small beside
/// what is large, as the filters of a spectrum do: integers know one step for all of a product's
/// inputs, and what they round to nothing, or to less, is what a logarithm asks for. Kernels of
/// convolutions, which spread what is large over all channels, are delicate, too.
void keep_float_before_logarithms(model::Model& model, std::vector<Weight>& weights,
                                  std::vector<Decision>& decisions);

/// Marks the matrices and LSTMs that are estimated to take longer in this format than in float, as
/// small ones do, where the context asks for that. Shapes that are not known count as one row.
void keep_float_where_faster(const MethodContext& context, Format format,
                             std::vector<Weight>& weights, std::vector<Decision>& decisions);

}  // namespace wattwise::quantize
