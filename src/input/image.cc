// SPDX-License-Identifier: Apache-2.0
#include "input/image.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace wattwise::input {
namespace {

/// Part of a length in whole pixels, at least one.
int64_t scaled(int64_t length, double factor) {
  return std::max<int64_t>(1, std::llround(static_cast<double>(length) * factor));
}

double ratio(int64_t a, int64_t b) { return static_cast<double>(a) / static_cast<double>(b); }

ImageSize size_by_edges(ImageSize image, const ImageTransform& transform) {
  const int64_t small = std::min(image.height, image.width);
  const int64_t large = std::max(image.height, image.width);
  int64_t edge = *transform.shortest_edge;
  if (transform.longest_edge && ratio(large, small) * static_cast<double>(edge) >
                                    static_cast<double>(*transform.longest_edge)) {
    edge = std::max<int64_t>(
        1, std::llround(static_cast<double>(*transform.longest_edge) * ratio(small, large)));
  }
  const auto follow = [&](int64_t other) { return std::max<int64_t>(1, edge * other / small); };
  return image.height <= image.width ? ImageSize{edge, follow(image.width)}
                                     : ImageSize{follow(image.height), edge};
}

/// One or both sides given; the other follows the aspect ratio.
ImageSize size_by_sides(ImageSize image, std::optional<int64_t> height,
                        std::optional<int64_t> width) {
  if (height && width) return {*height, *width};
  if (height) return {*height, scaled(image.width, ratio(*height, image.height))};
  if (width) return {scaled(image.height, ratio(*width, image.width)), *width};
  return image;
}

ImageSize resized_size(ImageSize image, const ImageTransform& transform) {
  if (!transform.resize) return image;
  if (transform.shortest_edge) return size_by_edges(image, transform);
  return size_by_sides(image, transform.height, transform.width);
}

/// The size of the result when the layout fixes one side or both; a free side follows.
ImageSize overridden_size(ImageSize wanted, const ImageLayout& layout) {
  return size_by_sides(wanted, layout.height, layout.width);
}

Result<Pixels> to_pixels(const Tensor& image) {
  const auto& shape = image.shape;
  const bool has_pixels = shape.size() == 3 && shape[0] > 0 && shape[1] > 0 &&
                          (shape[2] == 1 || shape[2] == 3 || shape[2] == 4);
  const bool has_type = image.type == DataType::kUint8 || image.type == DataType::kFloat;
  if (!has_pixels || !has_type) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("an image must be uint8 or float [height, width, 1, 3 or 4], not {} "
                             "[{}]; reorder or convert the array",
                             data_type_name(image.type), fmt::join(shape, ", ")));
  }
  Pixels pixels{{shape[0], shape[1]}, shape[2], {}, image.type == DataType::kUint8};
  if (pixels.rounds) {
    const auto values = image.values<uint8_t>();
    pixels.values.assign(values.begin(), values.end());
  } else {
    const auto values = image.values<float>();
    pixels.values.assign(values.begin(), values.end());
  }
  return pixels;
}

/// PIL's integer form of ITU-R 601 luma for whole numbers, the plain weights otherwise.
float luma(const float* rgb, bool rounds) {
  if (!rounds) return 0.299F * rgb[0] + 0.587F * rgb[1] + 0.114F * rgb[2];
  const auto part = [&](int channel, int64_t weight) {
    return static_cast<int64_t>(rgb[channel]) * weight;
  };
  return static_cast<float>((part(0, 19595) + part(1, 38470) + part(2, 7471) + 0x8000) >> 16);
}

Pixels with_channels(Pixels image, int64_t channels) {
  if (image.channels == channels) return image;
  Pixels result{image.size, channels, {}, image.rounds};
  const size_t count = image.values.size() / static_cast<size_t>(image.channels);
  result.values.reserve(count * static_cast<size_t>(channels));
  for (size_t i = 0; i < count; ++i) {
    const float* from = &image.values[i * static_cast<size_t>(image.channels)];
    if (channels == 1) {
      result.values.push_back(luma(from, image.rounds));
    } else {
      for (int64_t c = 0; c < channels; ++c)
        result.values.push_back(from[image.channels == 1 ? 0 : c]);
    }
  }
  return result;
}

/// The middle part; black where the image is smaller.
Pixels center_crop(Pixels image, ImageSize size) {
  if (image.size == size) return image;
  Pixels result{size, image.channels, {}, image.rounds};
  result.values.assign(static_cast<size_t>(size.height * size.width * image.channels), 0.0F);
  const auto start = [](int64_t from, int64_t to) {
    return from >= to ? (from - to) / 2 : -((to - from + 1) / 2);
  };
  const int64_t top = start(image.size.height, size.height);
  const int64_t left = start(image.size.width, size.width);
  const int64_t first = std::max<int64_t>(0, -left);
  const int64_t count = std::min(image.size.width - std::max<int64_t>(0, left), size.width - first);
  for (int64_t y = std::max<int64_t>(0, -top); y < size.height; ++y) {
    if (y + top >= image.size.height) break;
    const int64_t from = ((y + top) * image.size.width + first + left) * image.channels;
    std::copy_n(&image.values[static_cast<size_t>(from)], count * image.channels,
                &result.values[static_cast<size_t>((y * size.width + first) * image.channels)]);
  }
  return result;
}

/// value * factor + offset, per channel.
struct Affine {
  double factor = 1;
  double offset = 0;
};

Affine affine_of(const ImageTransform& transform, size_t channel) {
  Affine affine{transform.rescale ? transform.rescale_factor : 1.0, 0};
  if (!transform.normalize) return affine;
  return {affine.factor / transform.std[channel],
          -transform.mean[channel] / transform.std[channel]};
}

Tensor lay_out(const Pixels& image, const ImageTransform& transform, const ImageLayout& layout) {
  const int64_t area = image.size.height * image.size.width;
  const int64_t channels = image.channels;
  std::vector<float> values(image.values.size());
  for (int64_t c = 0; c < channels; ++c) {
    const Affine affine = affine_of(transform, static_cast<size_t>(c));
    const int64_t source = transform.swap_to_bgr ? channels - 1 - c : c;
    for (int64_t i = 0; i < area; ++i) {
      const double value = image.values[static_cast<size_t>(i * channels + source)];
      const int64_t target = layout.channels_last ? i * channels + c : c * area + i;
      values[static_cast<size_t>(target)] =
          static_cast<float>(value * affine.factor + affine.offset);
    }
  }
  const auto [height, width] = image.size;
  return make_float_tensor(layout.channels_last ? std::vector<int64_t>{1, height, width, channels}
                                                : std::vector<int64_t>{1, channels, height, width},
                           values);
}

}  // namespace

ImagePlan plan_image(ImageSize image, const ImageTransform& transform, const ImageLayout& layout) {
  ImagePlan plan;
  plan.resized = resized_size(image, transform);
  plan.result = transform.center_crop
                    ? ImageSize{(*transform.center_crop)[0], (*transform.center_crop)[1]}
                    : plan.resized;
  const ImageSize wanted = overridden_size(plan.result, layout);
  plan.layout_overrides = wanted != plan.result;
  if (!plan.layout_overrides) return plan;
  if (transform.center_crop) {  // keep the share of the picture that the crop shows
    plan.resized = {scaled(plan.resized.height, ratio(wanted.height, plan.result.height)),
                    scaled(plan.resized.width, ratio(wanted.width, plan.result.width))};
  } else {
    plan.resized = wanted;
  }
  plan.result = wanted;
  return plan;
}

Result<Tensor> transform_image(const Tensor& image, const ImageTransform& transform,
                               const ImageLayout& layout) {
  Pixels pixels = with_channels(WATTWISE_TRY(to_pixels(image)), layout.channels);
  const ImagePlan plan = plan_image(pixels.size, transform, layout);
  pixels = center_crop(resample(std::move(pixels), plan.resized, transform.filter), plan.result);
  return lay_out(pixels, transform, layout);
}

}  // namespace wattwise::input
