// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "core/env.h"

namespace wattwise {

/// A whole file system and clock in memory, for tests. Time stands still until tick() or
/// sleep_for(); locks are real between threads of the same MemoryEnv.
class MemoryEnv final : public Env {
 public:
  /// Creates or replaces a file together with its folders.
  void put_file(const std::string& path, std::string content);
  /// Makes `path` exist but fail with kIo when read, like a sysfs file without permission.
  void put_unreadable_file(const std::string& path);
  void set_variable(const std::string& name, std::string value);
  void tick(Seconds duration);

  Result<std::string> read_file(const std::string& path) const override;
  Result<Bytes> map_file(const std::string& path) const override;
  void release_pages(const Bytes& mapped) const override;
  Result<std::unique_ptr<WritableFile>> create_file(const std::string& path) override;
  Result<std::unique_ptr<WritableFile>> append_file(const std::string& path) override;
  std::optional<FileInfo> stat(const std::string& path) const override;
  Result<std::vector<std::string>> list_directory(const std::string& path) const override;
  Result<void> create_directories(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<std::string> canonical_path(const std::string& path) const override;
  Result<void> sync_directory(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock_file(const std::string& path, Seconds timeout) override;
  Result<std::string> make_temp_directory() override;
  Seconds monotonic_now() const override;
  Seconds wall_now() const override;
  Seconds process_cpu_now() const override;
  void sleep_for(Seconds duration) override;
  std::optional<std::string> variable(const std::string& name) const override;
  int64_t process_id() const override;

 private:
  friend class MemoryFile;
  friend class MemoryLock;
  // These two with the mutex held.
  bool has_folder(const std::string& path) const;
  bool is_empty_folder(const std::string& path) const;
  /// Takes the mutex. Creates the file if needed.
  Result<void> write(const std::string& path, std::string_view more, bool truncate);

  mutable std::mutex mutex_;
  std::map<std::string, std::string> files_;
  std::set<std::string> directories_;
  std::set<std::string> unreadable_;
  std::set<std::string> locked_;
  std::map<std::string, std::string> variables_;
  Seconds now_{1000};
  int next_temp_ = 0;
};

}  // namespace wattwise
