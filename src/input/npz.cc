// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <zip.h>

#include <memory>

#include "input/array_file.h"

namespace wattwise::input {
namespace {

/// Deflate cannot shrink by more than about 1032 to 1; an entry that claims more is hostile.
constexpr uint64_t kMaxExpansion = 1040;
constexpr int64_t kMaxEntries = 10000;
constexpr std::string_view kSuffix = ".npy";

struct ArchiveCloser {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct EntryCloser {
  void operator()(zip_file_t* entry) const { zip_fclose(entry); }
};
using Archive = std::unique_ptr<zip_t, ArchiveCloser>;
using Entry = std::unique_ptr<zip_file_t, EntryCloser>;

Error corrupt_archive(const std::string& path, std::string_view what) {
  return {ErrorCode::kCorrupt,
          fmt::format("{} is not a valid .npz archive: {}; write it again with numpy.savez", path,
                      what)};
}

std::string take_message(zip_error_t& error) {
  std::string message = zip_error_strerror(&error);
  zip_error_fini(&error);
  return message;
}

/// `bytes` must outlive the archive.
Result<Archive> open_archive(const Bytes& bytes, const std::string& path) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  if (!source) return corrupt_archive(path, take_message(error));
  Archive archive(zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error));
  if (!archive) {
    zip_source_free(source);
    return corrupt_archive(path, take_message(error));
  }
  zip_error_fini(&error);
  return archive;
}

Result<Bytes> read_entry(zip_t* archive, const zip_stat_t& info, const std::string& path) {
  const uint64_t packed = info.comp_size;
  if (info.size > (packed + 1) * kMaxExpansion) {
    return corrupt_archive(path, fmt::format("{} claims an impossible size", info.name));
  }
  const Entry entry(zip_fopen_index(archive, info.index, 0));
  if (!entry) return corrupt_archive(path, fmt::format("{}: {}", info.name, zip_strerror(archive)));
  std::vector<std::byte> buffer(info.size);
  uint64_t filled = 0;
  while (filled < info.size) {
    const zip_int64_t count = zip_fread(entry.get(), &buffer[filled], info.size - filled);
    if (count <= 0)
      return corrupt_archive(path, fmt::format("{} is cut off or damaged", info.name));
    filled += static_cast<uint64_t>(count);
  }
  std::byte beyond{};  // reading on makes libzip compare the checksum
  if (zip_fread(entry.get(), &beyond, 1) != 0) {
    return corrupt_archive(path, fmt::format("{} is damaged", info.name));
  }
  return Bytes::own(std::move(buffer));
}

Result<zip_stat_t> stat_entry(zip_t* archive, int64_t index, const std::string& path) {
  zip_stat_t info;
  zip_stat_init(&info);
  constexpr zip_uint64_t kNeeded = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE;
  const auto position = static_cast<zip_uint64_t>(index);
  if (zip_stat_index(archive, position, 0, &info) != 0 || (info.valid & kNeeded) != kNeeded) {
    return corrupt_archive(path, fmt::format("entry {} cannot be looked at", index));
  }
  return info;
}

struct SourceCloser {
  void operator()(zip_source_t* source) const { zip_source_free(source); }
};
using Source = std::unique_ptr<zip_source_t, SourceCloser>;

Error cannot_write(const std::string& path, const std::string& why) {
  return {ErrorCode::kIo, fmt::format("cannot write {}: {}", path, why)};
}

/// Everything that was written to a source in memory.
Result<std::string> read_source(zip_source_t* source, const std::string& path) {
  zip_stat_t info;
  zip_stat_init(&info);
  if (zip_source_stat(source, &info) != 0 || zip_source_open(source) != 0) {
    return cannot_write(path, zip_error_strerror(zip_source_error(source)));
  }
  std::string bytes(info.size, '\0');
  const zip_int64_t count = zip_source_read(source, bytes.data(), bytes.size());
  zip_source_close(source);
  if (count != static_cast<zip_int64_t>(bytes.size())) return cannot_write(path, "it is cut off");
  return bytes;
}

/// Adds one entry; `content` must stay where it is until the archive is closed.
Result<void> add_entry(zip_t* archive, const std::string& name, const std::string& content,
                       const std::string& path) {
  zip_source_t* entry = zip_source_buffer(archive, content.data(), content.size(), 0);
  const std::string entry_name = name + std::string(kSuffix);
  const zip_int64_t index =
      entry ? zip_file_add(archive, entry_name.c_str(), entry, ZIP_FL_ENC_UTF_8) : -1;
  if (index < 0) {
    zip_source_free(entry);
    return cannot_write(path, zip_strerror(archive));
  }
  zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), ZIP_CM_STORE, 0);
  return {};
}

/// The archive as bytes.
Result<std::string> format_npz(const std::string& path, const TensorMap& arrays) {
  zip_error_t error;
  zip_error_init(&error);
  const Source target(zip_source_buffer_create(nullptr, 0, 0, &error));
  if (!target) return cannot_write(path, take_message(error));
  zip_source_keep(target.get());  // one for the archive, one for reading what it wrote
  Archive archive(zip_open_from_source(target.get(), ZIP_TRUNCATE, &error));
  if (!archive) {
    zip_source_free(target.get());
    return cannot_write(path, take_message(error));
  }
  zip_error_fini(&error);
  std::vector<std::string> contents;
  contents.reserve(arrays.size());
  for (const auto& [name, array] : arrays) {
    contents.push_back(WATTWISE_TRY(format_npy(path, array)));
    WATTWISE_TRY(add_entry(archive.get(), name, contents.back(), path));
  }
  if (zip_close(archive.get()) != 0) return cannot_write(path, zip_strerror(archive.get()));
  static_cast<void>(archive.release());  // closed
  return read_source(target.get(), path);
}

}  // namespace

Result<void> write_npz(Env& env, const std::string& path, const TensorMap& arrays) {
  const std::string bytes = WATTWISE_TRY(format_npz(path, arrays));
  const auto file = WATTWISE_TRY(env.create_file(path));
  WATTWISE_TRY(file->append(std::as_bytes(std::span(bytes))));
  return file->close();
}

Result<TensorMap> read_npz(const Env& env, const std::string& path) {
  const Bytes bytes = WATTWISE_TRY(env.map_file(path));
  if (bytes.empty()) return corrupt_archive(path, "it is empty");
  const Archive archive = WATTWISE_TRY(open_archive(bytes, path));
  const int64_t count = zip_get_num_entries(archive.get(), 0);
  if (count > kMaxEntries) return corrupt_archive(path, fmt::format("it has {} entries", count));
  TensorMap arrays;
  for (int64_t i = 0; i < count; ++i) {
    const zip_stat_t info = WATTWISE_TRY(stat_entry(archive.get(), i, path));
    std::string name = info.name;
    if (name.size() > kSuffix.size() && name.ends_with(kSuffix)) {
      name.resize(name.size() - kSuffix.size());
    }
    const Bytes content = WATTWISE_TRY(read_entry(archive.get(), info, path));
    arrays[name] = WATTWISE_TRY(parse_npy(content, fmt::format("{} in {}", info.name, path)));
  }
  return arrays;
}

}  // namespace wattwise::input
