// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "input/preprocessor.h"

namespace wattwise::input {
namespace {

constexpr int64_t kMaxSide = 65536;

/// Typed access to one JSON map; `source` names the file in errors.
struct Reader {
  const Json& map;
  const std::string& source;

  const Json* find(const char* key) const {
    const auto it = map.find(key);
    return it == map.end() || it->is_null() ? nullptr : &*it;
  }

  Error wrong(const char* key, std::string_view wanted) const {
    return {ErrorCode::kCorrupt,
            fmt::format("{}: \"{}\" must be {}, not {}: correct it there", source, key, wanted,
                        write_json(map.at(key)).substr(0, 60))};
  }

  Result<bool> boolean(const char* key, bool fallback) const {
    const Json* value = find(key);
    if (!value) return fallback;
    if (!value->is_boolean()) return wrong(key, "true or false");
    return value->get<bool>();
  }

  Result<std::optional<double>> number(const char* key) const {
    const Json* value = find(key);
    if (!value) return std::optional<double>();
    if (!value->is_number() || !std::isfinite(value->get<double>())) return wrong(key, "a number");
    return std::optional(value->get<double>());
  }

  Result<std::optional<int64_t>> whole(const char* key, int64_t largest) const {
    const Json* value = find(key);
    if (!value) return std::optional<int64_t>();
    const bool fits = value->is_number_integer() && value->get<double>() >= 1 &&
                      value->get<double>() <= static_cast<double>(largest);
    if (!fits) return wrong(key, fmt::format("a whole number from 1 to {}", largest));
    return std::optional(value->get<int64_t>());
  }
};

/// The map under `key`, with a single number standing for both sides.
struct SizeEntry {
  std::optional<int64_t> single, height, width, shortest_edge, longest_edge;
};

Result<std::optional<SizeEntry>> read_size(const Reader& reader, const char* key) {
  const Json* value = reader.find(key);
  if (!value) return std::optional<SizeEntry>();
  SizeEntry size;
  if (value->is_number()) {
    size.single = WATTWISE_TRY(reader.whole(key, kMaxSide));
    return std::optional(size);
  }
  if (!value->is_object()) {
    return reader.wrong(key, "a number or a map of height, width or shortest_edge");
  }
  const Reader inner{*value, reader.source};
  size.height = WATTWISE_TRY(inner.whole("height", kMaxSide));
  size.width = WATTWISE_TRY(inner.whole("width", kMaxSide));
  size.shortest_edge = WATTWISE_TRY(inner.whole("shortest_edge", kMaxSide));
  size.longest_edge = WATTWISE_TRY(inner.whole("longest_edge", kMaxSide));
  const bool usable = size.height || size.width || size.shortest_edge;
  if (!usable) return reader.wrong(key, "a number or a map of height, width or shortest_edge");
  return std::optional(size);
}

Result<void> read_crop(const Reader& reader, ImageTransform& transform) {
  const auto crop = WATTWISE_TRY(read_size(reader, "crop_size"));
  if (!crop || !WATTWISE_TRY(reader.boolean("do_center_crop", true))) return {};
  const auto height = crop->single ? crop->single : crop->height ? crop->height : crop->width;
  const auto width = crop->single ? crop->single : crop->width ? crop->width : crop->height;
  if (!height || !width) return reader.wrong("crop_size", "a number or a map of height and width");
  transform.center_crop = {*height, *width};
  return {};
}

/// The share of the shortest edge that a centre crop keeps (ConvNeXT's convention: below 384
/// pixels enlarge by it and crop, from there on resize to the square).
Result<void> apply_crop_share(const Reader& reader, ImageTransform& transform) {
  constexpr int64_t kSquareFrom = 384;
  const auto share = WATTWISE_TRY(reader.number("crop_pct"));
  if (!share || !transform.shortest_edge || transform.center_crop) return {};
  if (*share <= 0 || *share > 1) return reader.wrong("crop_pct", "a number from 0 to 1");
  const int64_t edge = *transform.shortest_edge;
  if (edge < kSquareFrom) {
    transform.shortest_edge = static_cast<int64_t>(static_cast<double>(edge) / *share);
    transform.center_crop = {edge, edge};
  } else {
    transform.shortest_edge.reset();
    transform.height = transform.width = edge;
  }
  return {};
}

Result<void> read_resize(const Reader& reader, ImageTransform& transform) {
  const auto size = WATTWISE_TRY(read_size(reader, "size"));
  WATTWISE_TRY(read_crop(reader, transform));
  transform.resize = WATTWISE_TRY(reader.boolean("do_resize", true)) && size.has_value();
  if (!transform.resize) return {};
  transform.height = size->height;
  transform.width = size->width;
  transform.shortest_edge = size->shortest_edge;
  transform.longest_edge = size->longest_edge;
  if (size->single && transform.center_crop) {
    transform.shortest_edge = size->single;  // a bare number before a crop is the shortest edge
  } else if (size->single) {
    transform.height = transform.width = size->single;
  }
  return apply_crop_share(reader, transform);
}

Result<void> read_filter(const Reader& reader, ImageTransform& transform) {
  const Json* value = reader.find("resample");
  if (!value) return {};
  if (!value->is_number_integer() || value->get<int64_t>() < 0 || value->get<int64_t>() > 3) {
    return reader.wrong("resample", "0 (nearest), 1 (Lanczos), 2 (bilinear) or 3 (bicubic)");
  }
  transform.filter = static_cast<Filter>(value->get<int>());
  return {};
}

/// One number for all channels, or one per channel.
Result<std::optional<std::array<double, 3>>> read_channels(const Reader& reader, const char* key) {
  const Json* value = reader.find(key);
  if (!value) return std::optional<std::array<double, 3>>();
  const Json list = value->is_array() ? *value : Json::array({*value});
  const bool fits = (list.size() == 1 || list.size() == 3) &&
                    std::all_of(list.begin(), list.end(), [](const Json& item) {
                      return item.is_number() && std::isfinite(item.get<double>());
                    });
  if (!fits) return reader.wrong(key, "a list of three numbers");
  const auto at = [&](size_t i) { return list[list.size() == 1 ? 0 : i].get<double>(); };
  return std::optional(std::array<double, 3>{at(0), at(1), at(2)});
}

Result<void> read_normalization(const Reader& reader, ImageTransform& transform) {
  const auto mean = WATTWISE_TRY(read_channels(reader, "image_mean"));
  const auto std = WATTWISE_TRY(read_channels(reader, "image_std"));
  transform.normalize = WATTWISE_TRY(reader.boolean("do_normalize", mean && std));
  if (!transform.normalize) return {};
  if (!mean || !std) {
    return Error(ErrorCode::kCorrupt,
                 fmt::format("{}: do_normalize needs image_mean and image_std: add them there",
                             reader.source));
  }
  if (std::find(std->begin(), std->end(), 0.0) != std->end()) {
    return reader.wrong("image_std", "a list without zeros");
  }
  transform.mean = *mean;
  transform.std = *std;
  return {};
}

Result<ImageTransform> read_image_part(const Reader& reader) {
  ImageTransform transform;
  WATTWISE_TRY(read_resize(reader, transform));
  WATTWISE_TRY(read_filter(reader, transform));
  transform.rescale = WATTWISE_TRY(reader.boolean("do_rescale", true));
  const auto factor = WATTWISE_TRY(reader.number("rescale_factor"));
  transform.rescale_factor = factor.value_or(transform.rescale_factor);
  WATTWISE_TRY(read_normalization(reader, transform));
  transform.swap_to_bgr = WATTWISE_TRY(reader.boolean("do_flip_channel_order", false));
  return transform;
}

Result<void> read_sound_part(const Reader& reader, Preprocessor& preprocessor) {
  constexpr int64_t kMaxRate = 1'000'000;
  constexpr int64_t kMaxFeatures = 65536;
  const auto rate = WATTWISE_TRY(reader.whole("sampling_rate", kMaxRate));
  preprocessor.sampling_rate_hz = static_cast<int>(*rate);
  preprocessor.normalize_sound = WATTWISE_TRY(reader.boolean("do_normalize", false));
  const auto features = WATTWISE_TRY(reader.whole("feature_size", kMaxFeatures));
  preprocessor.sound_feature_size = features.value_or(1);
  return {};
}

}  // namespace

Result<void> parse_preprocessor_config(const Json& config, const std::string& source,
                                       Preprocessor& preprocessor) {
  if (!config.is_object()) {
    return Error(ErrorCode::kCorrupt,
                 fmt::format("{} must hold a JSON map of preprocessing settings", source));
  }
  const Reader reader{config, source};
  if (reader.find("sampling_rate")) return read_sound_part(reader, preprocessor);
  constexpr std::array kImageKeys = {"size",           "crop_size",     "do_resize",
                                     "do_rescale",     "image_mean",    "do_normalize",
                                     "do_center_crop", "rescale_factor"};
  const bool for_images = std::any_of(kImageKeys.begin(), kImageKeys.end(),
                                      [&](const char* key) { return reader.find(key); });
  if (for_images) preprocessor.image = WATTWISE_TRY(read_image_part(reader));
  return {};
}

}  // namespace wattwise::input
