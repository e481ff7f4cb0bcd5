// SPDX-License-Identifier: Apache-2.0
#include "core/memory_env.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace wattwise {

/// Writes straight into the files of a MemoryEnv.
class MemoryFile final : public WritableFile {
 public:
  MemoryFile(MemoryEnv& env, std::string path) : env_(env), path_(std::move(path)) {}
  Result<void> append(std::span<const std::byte> bytes) override {
    const auto* text = reinterpret_cast<const char*>(bytes.data());
    return env_.write(path_, {text, bytes.size()}, false);
  }
  Result<void> sync() override { return {}; }
  Result<void> close() override { return {}; }

 private:
  MemoryEnv& env_;
  std::string path_;
};

/// Frees its path when destroyed.
class MemoryLock final : public FileLock {
 public:
  MemoryLock(MemoryEnv& env, std::string path) : env_(env), path_(std::move(path)) {}
  ~MemoryLock() override {
    const std::lock_guard lock(env_.mutex_);
    env_.locked_.erase(path_);
  }

 private:
  MemoryEnv& env_;
  std::string path_;
};

namespace {

Error missing(const std::string& path) {
  return {ErrorCode::kNotFound, fmt::format("cannot read {}: no such file", path)};
}

/// A folder may be written with a slash at its end.
std::string without_slash(const std::string& path) {
  return path.size() > 1 && path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
}

Error is_directory(const std::string& what, const std::string& path) {
  return {ErrorCode::kIo, fmt::format("cannot {} {}: is a directory", what, path)};
}

bool is_below(const std::string& path, const std::string& directory) {
  const std::string prefix = directory == "/" ? "/" : directory + "/";
  return path.size() > prefix.size() && path.compare(0, prefix.size(), prefix) == 0;
}

template <typename Container, typename KeyOf>
void erase_tree(Container& container, const std::string& root, KeyOf key_of) {
  for (auto it = container.begin(); it != container.end();) {
    const std::string& key = key_of(*it);
    it = key == root || is_below(key, root) ? container.erase(it) : std::next(it);
  }
}

}  // namespace

void MemoryEnv::put_file(const std::string& path, std::string content) {
  [[maybe_unused]] const auto made = create_directories(parent_path(path));
  const std::lock_guard lock(mutex_);
  files_[path] = std::move(content);
}

void MemoryEnv::put_unreadable_file(const std::string& path) {
  put_file(path, "");
  const std::lock_guard lock(mutex_);
  unreadable_.insert(path);
}

void MemoryEnv::set_variable(const std::string& name, std::string value) {
  const std::lock_guard lock(mutex_);
  variables_[name] = std::move(value);
}

void MemoryEnv::tick(Seconds duration) {
  const std::lock_guard lock(mutex_);
  now_ = now_ + duration;
}

Result<std::string> MemoryEnv::read_file(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  if (directories_.contains(path)) return is_directory("read", path);
  const auto it = files_.find(path);
  if (it == files_.end()) return missing(path);
  if (unreadable_.contains(path)) {
    return Error(ErrorCode::kIo, fmt::format("cannot read {}: permission denied", path));
  }
  return it->second;
}

Result<Bytes> MemoryEnv::map_file(const std::string& path) const {
  return Bytes::own(WATTWISE_TRY(read_file(path)));
}

void MemoryEnv::release_pages(const Bytes&) const {}

bool MemoryEnv::has_folder(const std::string& path) const {
  return directories_.contains(path) || path == "." || path == "/";
}

Result<void> MemoryEnv::write(const std::string& path, std::string_view more, bool truncate) {
  const std::lock_guard lock(mutex_);
  if (directories_.contains(path)) return is_directory("write", path);
  if (!has_folder(parent_path(path))) return missing(path);
  std::string& content = files_[path];
  if (truncate) content.clear();
  content.append(more);
  return {};
}

Result<std::unique_ptr<WritableFile>> MemoryEnv::create_file(const std::string& path) {
  WATTWISE_TRY(write(path, "", true));
  return std::unique_ptr<WritableFile>(new MemoryFile(*this, path));
}

Result<std::unique_ptr<WritableFile>> MemoryEnv::append_file(const std::string& path) {
  WATTWISE_TRY(write(path, "", false));
  return std::unique_ptr<WritableFile>(new MemoryFile(*this, path));
}

std::optional<FileInfo> MemoryEnv::stat(const std::string& given) const {
  const std::string path = without_slash(given);
  const std::lock_guard lock(mutex_);
  if (const auto it = files_.find(path); it != files_.end()) {
    return FileInfo{false, true, it->second.size(), 0};
  }
  if (directories_.contains(path)) return FileInfo{true, false, 0, 0};
  return std::nullopt;
}

Result<std::vector<std::string>> MemoryEnv::list_directory(const std::string& given) const {
  const std::string path = without_slash(given);
  const std::lock_guard lock(mutex_);
  if (!directories_.contains(path)) return missing(path);
  std::set<std::string> names;
  const auto add = [&](const std::string& full) {
    if (!is_below(full, path)) return;
    const size_t start = path == "/" ? 1 : path.size() + 1;
    names.insert(full.substr(start, full.find('/', start) - start));
  };
  for (const auto& [name, content] : files_) add(name);
  for (const auto& name : directories_) add(name);
  return std::vector<std::string>(names.begin(), names.end());
}

Result<void> MemoryEnv::create_directories(const std::string& path) {
  const std::lock_guard lock(mutex_);
  for (std::string part = path; part != "." && part != "/"; part = parent_path(part)) {
    if (files_.contains(part)) {
      return Error(ErrorCode::kIo, fmt::format("cannot create the folder {}: a file", part));
    }
    directories_.insert(part);
  }
  return {};
}

bool MemoryEnv::is_empty_folder(const std::string& path) const {
  const auto inside = [&](const std::string& name) { return is_below(name, path); };
  return std::none_of(directories_.begin(), directories_.end(), inside) &&
         std::none_of(files_.begin(), files_.end(),
                      [&](const auto& file) { return inside(file.first); });
}

Result<void> MemoryEnv::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  if (!has_folder(parent_path(to))) return missing(to);
  if (files_.contains(from)) {
    if (directories_.contains(to)) return is_directory("move a file to", to);
    auto node = files_.extract(from);
    files_.erase(to);
    node.key() = to;
    files_.insert(std::move(node));
    return {};
  }
  if (!directories_.contains(from)) return missing(from);
  if (files_.contains(to) || !is_empty_folder(to)) {
    return Error(ErrorCode::kIo, fmt::format("cannot move a folder to {}: it exists", to));
  }
  std::map<std::string, std::string> moved;
  for (const auto& [name, content] : files_) {
    const bool inside = is_below(name, from);
    moved[inside ? to + name.substr(from.size()) : name] = content;
  }
  files_ = std::move(moved);
  std::set<std::string> directories;
  for (const auto& name : directories_) {
    const bool inside = name == from || is_below(name, from);
    directories.insert(inside ? to + name.substr(from.size()) : name);
  }
  directories_ = std::move(directories);
  return {};
}

Result<void> MemoryEnv::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  erase_tree(files_, path, [](const auto& item) -> const std::string& { return item.first; });
  erase_tree(directories_, path, [](const auto& item) -> const std::string& { return item; });
  return {};
}

Result<std::string> MemoryEnv::canonical_path(const std::string& path) const {
  if (!stat(path)) return missing(path);
  return path;
}

Result<void> MemoryEnv::sync_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (!has_folder(path)) return missing(path);
  return {};
}

Result<std::unique_ptr<FileLock>> MemoryEnv::lock_file(const std::string& path, Seconds) {
  WATTWISE_TRY(write(path, "", false));
  const std::lock_guard lock(mutex_);
  if (!locked_.insert(path).second) {
    return Error(ErrorCode::kUnavailable, fmt::format("{} is locked; try again", path));
  }
  return std::unique_ptr<FileLock>(new MemoryLock(*this, path));
}

Result<std::string> MemoryEnv::make_temp_directory() {
  const std::string path = fmt::format("/tmp/{}", next_temp_++);
  WATTWISE_TRY(create_directories(path));
  return path;
}

Seconds MemoryEnv::monotonic_now() const {
  const std::lock_guard lock(mutex_);
  return now_;
}
Seconds MemoryEnv::wall_now() const { return monotonic_now(); }
Seconds MemoryEnv::process_cpu_now() const { return monotonic_now(); }
void MemoryEnv::sleep_for(Seconds duration) { tick(duration); }

std::optional<std::string> MemoryEnv::variable(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto it = variables_.find(name);
  if (it == variables_.end()) return std::nullopt;
  return it->second;
}

int64_t MemoryEnv::process_id() const { return 1; }

}  // namespace wattwise
