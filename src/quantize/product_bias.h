// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "quantize/weights.h"

namespace wattwise::quantize {

/// The Add of a constant bias, [columns], that alone reads a product with a matrix of so many
/// columns. Nulls where there is none.
struct BiasAdd {
  const model::Node* node = nullptr;
  const model::Constant* bias = nullptr;
};
BiasAdd bias_after(const WeightReader& reader, size_t columns);

/// Whether every product with the matrix has one.
bool all_have_biases(const Weight& weight);

/// A constant of the bias, zeros where there is none, plus `change`; in 16 bits where these are
/// faithful. Returns the name to read it by.
std::string add_changed_bias(const Weight& weight, const BiasAdd& add,
                             const std::vector<float>& change, ModelEdits& edits);

/// The Add after this product adds such a constant instead. Precondition: there is one.
void change_bias(const Weight& weight, const WeightReader& reader, const std::vector<float>& change,
                 ModelEdits& edits);

}  // namespace wattwise::quantize
