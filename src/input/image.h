// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/env.h"
#include "input/resample.h"
#include "wattwise/tensor.h"

namespace wattwise::input {

/// What a preprocessor_config.json asks for: resize, crop, rescale, normalize, in this order.
struct ImageTransform {
  bool resize = true;
  std::optional<int64_t> height;         ///< size.height; absent keeps the aspect ratio
  std::optional<int64_t> width;          ///< size.width; absent keeps the aspect ratio
  std::optional<int64_t> shortest_edge;  ///< size.shortest_edge
  std::optional<int64_t> longest_edge;   ///< size.longest_edge, a bound
  std::optional<std::array<int64_t, 2>> center_crop;  ///< height, width
  Filter filter = Filter::kBilinear;                  ///< resample
  bool rescale = true;
  double rescale_factor = 1.0 / 255;
  bool normalize = true;
  std::array<double, 3> mean = {0.5, 0.5, 0.5};
  std::array<double, 3> std = {0.5, 0.5, 0.5};
  bool swap_to_bgr = false;
};

/// The layout that a model's image input wants. Absent sizes are free.
struct ImageLayout {
  bool channels_last = false;  ///< [1,H,W,C] instead of [1,C,H,W]
  int64_t channels = 3;        ///< 1 or 3
  std::optional<int64_t> height;
  std::optional<int64_t> width;
};

/// The sizes that transform_image() goes through.
struct ImagePlan {
  ImageSize resized;
  ImageSize result;               ///< after the centre crop
  bool layout_overrides = false;  ///< the layout's fixed size differs from the transform's
};

/// Decodes PNG, JPEG, BMP, GIF, PNM, TGA or PSD to uint8 [height, width, 3]; transparency is
/// dropped. kCorrupt names the file, as does kUnsupported for one beyond 2^28 pixels.
Result<Tensor> read_image(const Env& env, const std::string& path);

/// Where an image of this size ends up. A fixed height and width of the layout win.
ImagePlan plan_image(ImageSize image, const ImageTransform& transform, const ImageLayout& layout);

/// Applies the transform to uint8 or float [height, width, channels] with values of 0..255; gives
/// float [1,C,H,W], or [1,H,W,C] when the layout says so. Grey and colour are converted as the
/// layout's channels demand (ITU-R 601 weights), a fourth channel is dropped. uint8 images are
/// rounded after resizing, as PIL does. kInvalidArgument for other ranks or channel counts.
Result<Tensor> transform_image(const Tensor& image, const ImageTransform& transform,
                               const ImageLayout& layout);

}  // namespace wattwise::input
