// SPDX-License-Identifier: Apache-2.0
#include "store/artifact_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "core/hash.h"
#include "core/mapped_pieces.h"
#include "core/text.h"

namespace wattwise::store {
namespace {

constexpr int kVersion = 1;
constexpr const char* kIndex = "index";
constexpr const char* kUsed = "used";
constexpr const char* kPart = ".part";
constexpr size_t kHashDigits = 32;
constexpr int kPublishAttempts = 8;
/// A folder that is still being written is younger.
constexpr Seconds kAbandonedAfter{86400};

/// Files below `folder` and their content, by relative path.
Result<void> map_files(const Env& env, const std::string& folder, const std::string& inside,
                       std::map<std::string, Bytes>& files) {
  for (const std::string& name : WATTWISE_TRY(env.list_directory(join_path(folder, inside)))) {
    const std::string relative = inside.empty() ? name : inside + "/" + name;
    const std::string path = join_path(folder, relative);
    const auto info = env.stat(path);
    if (info && info->is_directory) {
      WATTWISE_TRY(map_files(env, folder, relative, files));
    } else {
      files[relative] = WATTWISE_TRY(env.map_file(path));
    }
  }
  return {};
}

Result<void> write_file(Env& env, const std::string& path, std::string_view content) {
  const auto file = WATTWISE_TRY(env.create_file(path));
  WATTWISE_TRY(file->append(std::as_bytes(std::span(content))));
  return file->close();
}

Result<void> copy_file(Env& env, const std::string& path, const Bytes& mapped, bool sync) {
  const auto file = WATTWISE_TRY(env.create_file(path));
  WATTWISE_TRY(visit_pieces(env, mapped,
                            [&](std::span<const std::byte> piece) { return file->append(piece); }));
  if (sync) WATTWISE_TRY(file->sync());
  return file->close();
}

Error damaged(const std::string& why) { return {ErrorCode::kCorrupt, why}; }

/// The index is its own hash, then JSON.
Result<Json> read_index(const Env& env, const std::string& entry) {
  const std::string text = WATTWISE_TRY(env.read_file(join_path(entry, kIndex)));
  if (text.size() <= kHashDigits ||
      hash_of(std::string_view(text).substr(kHashDigits)) != text.substr(0, kHashDigits)) {
    return damaged("its index is damaged");
  }
  Json index = WATTWISE_TRY(parse_json(std::string_view(text).substr(kHashDigits), "the index"));
  if (index.value("schema_version", 0) != kVersion)
    return damaged("its index is of another version");
  return index;
}

/// Contents of the entry by hash, each checked.
Result<std::map<std::string, Bytes>> read_contents(const Env& env, const std::string& entry,
                                                   const Json& index) {
  std::map<std::string, Bytes> contents;
  for (const auto& [name, hash] : index.at("files").items()) {
    const auto parts = split(name, '/');
    if (name.empty() || std::find(parts.begin(), parts.end(), "..") != parts.end() ||
        name.front() == '/') {
      return damaged(fmt::format("it names the file {}", name));
    }
    const auto digits = hash.get<std::string>();
    if (contents.contains(digits)) continue;
    Bytes content = WATTWISE_TRY(env.map_file(join_path(entry, digits)));
    if (hash_of_mapped(env, content) != digits) return damaged(fmt::format("{} is damaged", name));
    contents[digits] = std::move(content);
  }
  return contents;
}

struct Entry {
  std::string name;
  uint64_t bytes = 0;
  int64_t used_ns = 0;
};

Entry look_at(const Env& env, const std::string& folder, const std::string& name) {
  Entry entry{name, 0, 0};
  const std::string path = join_path(folder, name);
  // What has no file yet is being written.
  if (const auto info = env.stat(path)) entry.used_ns = info->modified_ns;
  const auto files = env.list_directory(path);
  for (const std::string& file : files ? *files : std::vector<std::string>()) {
    const auto info = env.stat(join_path(path, file));
    if (!info) continue;
    entry.bytes += info->size_bytes;
    entry.used_ns = std::max(entry.used_ns, info->modified_ns);
  }
  return entry;
}

/// $WATTWISE_CACHE, else the XDG cache folder.
std::string default_folder(const Env& env) {
  if (auto own = env.variable("WATTWISE_CACHE"); own && !own->empty()) return *own;
  std::string base = env.variable("XDG_CACHE_HOME").value_or("");
  if (base.empty()) base = join_path(env.variable("HOME").value_or("."), ".cache");
  return join_path(base, "wattwise/prepared");
}

std::string part_name(const Env& env, const std::string& key) {
  static std::atomic<uint64_t> counter{0};  // distinguishes what one process does at once
  return fmt::format("{}.{}-{}{}", key, env.process_id(), counter++, kPart);
}

}  // namespace

ArtifactCache::ArtifactCache(Env& env, CacheOptions options)
    : env_(env), options_(std::move(options)) {
  if (options_.folder.empty()) options_.folder = default_folder(env_);
}

std::optional<Json> ArtifactCache::find_in_place(const std::string& key,
                                                 const std::string& folder) {
  if (!env_.stat(path(key))) return std::nullopt;
  const auto index = read_index(env_, path(key));
  if (!index) return std::nullopt;
  std::set<std::string> tops;
  for (const auto& [name, hash] : index->at("files").items()) {
    tops.insert(name.substr(0, name.find('/')));
  }
  std::map<std::string, Bytes> there;
  for (const std::string& top : tops) {
    const std::string place = join_path(folder, top);
    const auto info = env_.stat(place);
    if (!info) return std::nullopt;
    if (info->is_directory) {
      if (!map_files(env_, folder, top, there)) return std::nullopt;
    } else if (auto content = env_.map_file(place)) {
      there[top] = std::move(*content);
    }
  }
  if (there.size() != index->at("files").size()) return std::nullopt;
  for (const auto& [name, content] : there) {
    if (index->at("files").value(name, "") != hash_of_mapped(env_, content)) return std::nullopt;
  }
  mark_used(key);
  return index->at("note");
}

Result<std::optional<Json>> ArtifactCache::restore(const std::string& key,
                                                   const std::string& folder) {
  const std::string entry = path(key);
  if (!env_.stat(entry)) return std::optional<Json>();
  auto index = read_index(env_, entry);
  auto contents = index ? read_contents(env_, entry, *index)
                        : Result<std::map<std::string, Bytes>>(index.error());
  if (!contents && contents.error().code() == ErrorCode::kNotFound && !env_.stat(entry)) {
    return std::optional<Json>();  // another process has removed it meanwhile
  }
  if (!contents) {
    options_.logger.log(LogLevel::kWarning, "store", "a damaged cache entry is dropped",
                        field("entry", entry), field("reason", contents.error().message()));
    // Whoever cannot remove it finds it damaged again.
    [[maybe_unused]] const auto ignored = drop(key);
    return std::optional<Json>();
  }
  std::set<std::string> folders = {folder};
  for (const auto& [name, hash] : index->at("files").items()) {
    const std::string target = join_path(folder, name);
    if (folders.insert(parent_path(target)).second) {
      WATTWISE_TRY(env_.create_directories(parent_path(target)));
    }
    const Bytes& content = contents->at(hash.get<std::string>());
    WATTWISE_TRY(copy_file(env_, target, content, true));
  }
  for (const std::string& made : folders) WATTWISE_TRY(env_.sync_directory(made));
  mark_used(key);
  return std::optional(index->at("note"));
}

Result<void> ArtifactCache::keep(const std::string& key, const std::string& folder,
                                 const Json& note) {
  std::map<std::string, Bytes> files;
  WATTWISE_TRY(map_files(env_, folder, "", files));
  std::map<std::string, Bytes> contents;
  Json names = Json::object();
  uint64_t size = 0;
  for (const auto& [name, content] : files) {
    const std::string digits = hash_of_mapped(env_, content);
    names[name] = digits;
    if (contents.emplace(digits, content).second) size += content.size();
  }
  if (size > options_.max_bytes) {
    return Error(ErrorCode::kExhausted,
                 fmt::format("the files have {}, the whole cache may have {} (cache.max_size_mb)",
                             format_bytes(size), format_bytes(options_.max_bytes)));
  }
  const std::string json =
      write_json({{"schema_version", kVersion}, {"note", note}, {"files", names}});
  const std::string part = path(part_name(env_, key));
  const auto write = [&]() -> Result<void> {
    WATTWISE_TRY(env_.create_directories(part));
    for (const auto& [digits, content] : contents) {
      WATTWISE_TRY(copy_file(env_, join_path(part, digits), content, false));
    }
    const std::string index = hash_of(json) + json;
    WATTWISE_TRY(write_file(env_, join_path(part, kIndex), index));
    return publish(part, key);
  };
  auto written = write();
  // Gone already where the rename succeeded.
  [[maybe_unused]] const auto ignored = env_.remove(part);
  if (!written && !env_.stat(path(key))) return written;
  return trim();
}

Result<void> ArtifactCache::publish(const std::string& part, const std::string& key) {
  for (int attempt = 1;; ++attempt) {
    if (env_.stat(path(key))) return {};  // someone else was faster
    auto moved = env_.rename(part, path(key));
    // Whoever was faster may be gone again: trimmed between the move and the next look.
    if (moved || attempt == kPublishAttempts) return moved;
  }
}

void ArtifactCache::mark_used(const std::string& key) {
  [[maybe_unused]] const auto ignored = write_file(env_, join_path(path(key), kUsed), "");
}

Result<void> ArtifactCache::drop(const std::string& name) {
  const std::string part = path(part_name(env_, name));
  if (auto moved = env_.rename(path(name), part); !moved) {
    if (moved.error().code() == ErrorCode::kNotFound) return {};  // someone else was faster
    return moved;
  }
  // A reader that opened the entry by its old name may put its mark there meanwhile.
  if (env_.remove(part)) return {};
  return env_.remove(part);
}

Result<void> ArtifactCache::trim() {
  std::vector<Entry> entries;
  uint64_t total = 0;
  for (const std::string& name : WATTWISE_TRY(env_.list_directory(options_.folder))) {
    const Entry entry = look_at(env_, options_.folder, name);
    if (name.size() == kHashDigits) {
      entries.push_back(entry);
      total += entry.bytes;
      continue;
    }
    const double age = env_.wall_now().count() - static_cast<double>(entry.used_ns) * 1e-9;
    if (name.ends_with(kPart) && age > kAbandonedAfter.count()) {
      WATTWISE_TRY(env_.remove(path(name)));
    }
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.used_ns < b.used_ns; });
  for (const Entry& entry : entries) {
    if (total <= options_.max_bytes) break;
    WATTWISE_TRY(drop(entry.name));
    total -= entry.bytes;
  }
  return {};
}

}  // namespace wattwise::store
