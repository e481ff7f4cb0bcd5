// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace wattwise::input {

/// Interpolation kernels, numbered as PIL's `resample` and so as in preprocessor_config.json.
enum class Filter { kNearest = 0, kLanczos = 1, kBilinear = 2, kBicubic = 3 };

struct ImageSize {
  int64_t height = 0;
  int64_t width = 0;
  bool operator==(const ImageSize&) const = default;
};

/// An image in floats, rows first, channels innermost.
struct Pixels {
  ImageSize size;
  int64_t channels = 0;
  std::vector<float> values;
  bool rounds = false;  ///< holds whole numbers of 0..255 and is to stay so
};

/// Resizes like PIL.Image.resize: a separable kernel, widened by the factor of a reduction
/// (antialiasing), cut off at the borders and normalized to a sum of one; the width first. With
/// `rounds` both steps round to 0..255. Agrees with PIL within one step of 256.
/// Precondition: both sizes are positive.
Pixels resample(Pixels image, ImageSize size, Filter filter);

}  // namespace wattwise::input
