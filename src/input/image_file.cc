// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <climits>
#include <memory>

#include "input/image.h"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#include <stb/stb_image.h>

namespace wattwise::input {
namespace {

constexpr int64_t kMaxPixels = int64_t{1} << 28;

struct PixelFreer {
  void operator()(stbi_uc* pixels) const { stbi_image_free(pixels); }
};

Error undecodable(const std::string& path, std::string_view reason) {
  return {
      ErrorCode::kCorrupt,
      fmt::format("cannot decode the image {}: {}; pass a PNG, JPEG or BMP file", path, reason)};
}

const char* failure() {
  const char* reason = stbi_failure_reason();
  return reason ? reason : "unknown format";
}

}  // namespace

Result<Tensor> read_image(const Env& env, const std::string& path) {
  const Bytes bytes = WATTWISE_TRY(env.map_file(path));
  if (bytes.size() > INT_MAX) return undecodable(path, "it is larger than 2 GB");
  const auto* data = reinterpret_cast<const stbi_uc*>(bytes.data());
  const int length = static_cast<int>(bytes.size());
  int width = 0;
  int height = 0;
  int channels = 0;
  if (!stbi_info_from_memory(data, length, &width, &height, &channels)) {
    return undecodable(path, failure());
  }
  if (int64_t{width} * height > kMaxPixels) {
    return Error(ErrorCode::kUnsupported, fmt::format("the image {} has {} x {} pixels; at most {} "
                                                      "are read: make it smaller first",
                                                      path, width, height, kMaxPixels));
  }
  const std::unique_ptr<stbi_uc, PixelFreer> pixels(
      stbi_load_from_memory(data, length, &width, &height, &channels, 3));
  if (!pixels) return undecodable(path, failure());
  const std::span<const stbi_uc> values(pixels.get(), static_cast<size_t>(width) * 3 * height);
  return Tensor{DataType::kUint8, {height, width, 3}, Bytes::copy_of(values), {}};
}

}  // namespace wattwise::input
