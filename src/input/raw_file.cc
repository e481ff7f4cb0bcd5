// SPDX-License-Identifier: Apache-2.0
#include "input/raw_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/text.h"

namespace wattwise::input {
namespace {

struct Signature {
  std::string_view first_bytes;
  size_t offset;  ///< of `second_bytes`
  std::string_view second_bytes;
  FileKind kind;
};

constexpr std::array<Signature, 13> kSignatures = {{
    {"\x93NUMPY", 0, "", FileKind::kArray},
    {"PK\x03\x04", 0, "", FileKind::kArchive},
    {"PK\x05\x06", 0, "", FileKind::kArchive},
    {"RIFF", 8, "WAVE", FileKind::kSound},
    {"RF64", 8, "WAVE", FileKind::kSound},
    {"fLaC", 0, "", FileKind::kSound},
    {"OggS", 0, "", FileKind::kSound},
    {"\x89PNG", 0, "", FileKind::kImage},
    {"\xff\xd8\xff", 0, "", FileKind::kImage},
    {"BM", 0, "", FileKind::kImage},
    {"GIF8", 0, "", FileKind::kImage},
    {"P5", 0, "", FileKind::kImage},
    {"P6", 0, "", FileKind::kImage},
}};

constexpr std::array<std::string_view, 14> kExtensions = {".npy",  ".npz", ".png",  ".jpg", ".jpeg",
                                                          ".bmp",  ".gif", ".pgm",  ".ppm", ".wav",
                                                          ".flac", ".ogg", ".webp", ".mp3"};

/// Paths are short and hold no control characters.
bool may_be_path(std::string_view text) {
  constexpr size_t kLongestPath = 4096;
  return !text.empty() && text.size() < kLongestPath &&
         std::none_of(text.begin(), text.end(), [](char c) { return c >= 0 && c < ' '; });
}

bool names_a_file(const std::string& text) {
  const std::string extension = to_lower(file_extension(text));
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end() &&
         text.find(' ') == std::string::npos;
}

bool matches(const Signature& signature, std::string_view bytes) {
  return bytes.starts_with(signature.first_bytes) &&
         bytes.substr(std::min(signature.offset, bytes.size())).starts_with(signature.second_bytes);
}

Error unknown_kind(const std::string& path) {
  return {ErrorCode::kUnsupported,
          fmt::format("{} is no array (.npy, .npz), image (PNG, JPEG, BMP, GIF, PGM, PPM) or sound "
                      "(WAV, FLAC, OGG): convert it first",
                      path)};
}

}  // namespace

Result<std::optional<FileKind>> identify_file(const Env& env, const std::string& text) {
  if (!may_be_path(text)) return std::optional<FileKind>();
  const auto info = env.stat(text);
  const bool meant_as_path = names_a_file(text) || text.find('/') != std::string::npos;
  if (info && info->is_directory && meant_as_path) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the input {} is a folder: name a file in it", text));
  }
  if (!info || info->is_directory) {
    if (!names_a_file(text)) return std::optional<FileKind>();
    return Error(ErrorCode::kNotFound,
                 fmt::format("there is no file {}: check the path of the input", text));
  }
  const Bytes bytes = WATTWISE_TRY(env.map_file(text));
  const auto signature =
      std::find_if(kSignatures.begin(), kSignatures.end(),
                   [&](const Signature& candidate) { return matches(candidate, bytes.as_text()); });
  if (signature != kSignatures.end()) return std::optional(signature->kind);
  // A word that happens to be a file's name is still a text.
  if (meant_as_path && bytes.empty()) {
    return Error(ErrorCode::kCorrupt,
                 fmt::format("the input {} is an empty file: write it again", text));
  }
  if (meant_as_path) return unknown_kind(text);
  return std::optional<FileKind>();
}

}  // namespace wattwise::input
