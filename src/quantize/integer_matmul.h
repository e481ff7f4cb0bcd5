// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "quantize/weights.h"

namespace wattwise::quantize {

/// Names of what stands for a matrix: int8 values of its shape, which obey the pair rule of
/// kernels.h, and a float scale for each column.
struct IntegerMatrix {
  std::string values;
  std::string scales;
  std::vector<float> bias_change = {};  ///< for each column, added to its bias; empty: nothing
};

/// Makes every product with the matrix a DynamicQuantizeMatMul, an operator of ONNX Runtime that
/// quantizes the other side to uint8, multiplies in integers, and adds a constant bias that
/// follows, changed or not. Removes the float matrix. Precondition: is_matrix(weight).
void multiply_in_integers(const Weight& weight, const IntegerMatrix& matrix, ModelEdits& edits);

/// Whether the node is such a product.
bool is_integer_product(const model::Node& node);

/// Of what products multiply, by name: a step of uint8 over the narrowest range that a sample has.
using RoundingSteps = std::map<std::string, double>;

/// Fits what stands before these products to them, once they are in place: see
/// approximate_gelu.h and round_inputs.h. `steps` are of those that calibration has seen.
Result<void> suit_integer_products(model::Model& model, const MethodContext& context,
                                   const RoundingSteps& steps, MethodOutcome& outcome);

}  // namespace wattwise::quantize
