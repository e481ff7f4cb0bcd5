// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "quantize/weights.h"

namespace wattwise::quantize {

/// True if 16 bits hold every value of the weight.
bool fits_half(const Weight& weight);

/// Stores a weight in 16 bits and unpacks it by `Cast`, which a runtime folds when it loads the
/// model: half the bytes at float speed. Needs opset 6. Precondition: fits_half(weight).
LayerQuantization store_half(const Weight& weight, ModelEdits& edits);

/// Stores the long vectors of the model (biases, gains) in 16 bits where these keep 60 dB of them,
/// far more than int8 keeps of the weights beside them. Returns how many nodes read them.
size_t store_half_vectors(model::Model& model, ModelEdits& edits);

/// Adds floats to the graph that defines `weight` and returns the name to read them by: as 16 bits
/// and a Cast where all of them fit exactly and that saves bytes.
struct FloatArray {
  std::string_view suffix;
  std::vector<int64_t> shape;
  const std::vector<float>& values;
};
std::string add_floats(const Weight& weight, const FloatArray& array, ModelEdits& edits);
/// The same, as 16 bits where these keep 60 dB of them and that saves bytes.
std::string add_vector(const Weight& weight, const FloatArray& array, ModelEdits& edits);

}  // namespace wattwise::quantize
