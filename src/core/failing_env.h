// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/env.h"

namespace wattwise {

/// Passes every call on to another Env, but fails the n-th changing file call (create, append,
/// write, sync, close, rename, make folders) with kIo "no space left". For proving that a failure
/// at any point leaves nothing half-written: run once to count, then once per n.
class FailingEnv final : public Env {
 public:
  /// `fail_at` counts from 1; 0 never fails. `base` must outlive this.
  FailingEnv(Env& base, int fail_at) : base_(base), fail_at_(fail_at) {}

  /// Changing calls seen so far.
  int calls() const { return calls_; }
  /// Counts one changing call; the failure if it is the chosen one.
  Result<void> count(const std::string& what);

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
  Env& base_;
  int fail_at_;
  int calls_ = 0;
};

}  // namespace wattwise
