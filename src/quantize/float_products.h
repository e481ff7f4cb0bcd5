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

/// How a method multiplies matrices, and LSTMs where it has `lstms` in integers.
struct IntegerProducts {
  std::string_view method;
  Format format;
  bool lstms = false;
};

/// Marks the products that are estimated to take longer so than in float, as small ones do, where
/// the context leaves them. Shapes that are not known count as one row.
void keep_float_where_faster(const MethodContext& context, const IntegerProducts& products,
                             std::vector<Weight>& weights, std::vector<Decision>& decisions);

/// Warns, where the context wants it told, of products that are estimated to be slower so by a
/// share of the time of all that reads weights that one would notice.
void tell_slow_products(const MethodContext& context, const IntegerProducts& products,
                        const std::vector<Weight>& weights, std::vector<Decision>& decisions);

}  // namespace wattwise::quantize
