// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/env.h"

namespace wattwise::model {

/// Keeps a process small while it works on a model that is larger than its memory: large constants
/// that are made lie in files without a name, and pages of mapped files are let go. Thread rule:
/// one thread.
class ConstantStore {
 public:
  /// Constants of this size and more go to a file. Each takes a mapping, of which Linux allows
  /// 65,530 (vm.max_map_count).
  static constexpr size_t kMinKeptBytes = 128 << 10;

  /// `env` must outlive the object, and `folder` must be there while constants are made.
  ConstantStore(Env& env, std::string folder) : env_(env), folder_(std::move(folder)) {}

  /// Pages of this mapped file may be released as well.
  void add_source(Bytes mapped) { mapped_.push_back(std::move(mapped)); }

  /// A copy of the bytes: in a mapped file, whose name is removed at once so that nothing is left
  /// of it after a crash, or in memory where they are few. A file that cannot be written leaves
  /// them in memory too, and shows in status().
  Bytes keep(std::span<const std::byte> bytes);
  /// The first failure of keep().
  const Result<void>& status() const { return status_; }

  /// Lets the pages behind `bytes` go as far as they lie in mapped files; the rest is left alone.
  void release(std::span<const std::byte> bytes) const;
  /// Lets all pages of mapped files go.
  void release_all() const;

  /// Another store for constants that may be thrown away before those of this one. It releases
  /// pages of this one's files, too.
  std::shared_ptr<ConstantStore> fork() const;

 private:
  Result<Bytes> write(std::span<const std::byte> bytes);

  Env& env_;
  std::string folder_;
  std::vector<Bytes> mapped_;
  Result<void> status_;
};

/// Calls `visit` with one piece of `bytes` after the other and lets the pages of each go when it is
/// done. `store` may be null: everything in one piece then.
Result<void> visit_released(std::span<const std::byte> bytes, const ConstantStore* store,
                            const std::function<Result<void>(std::span<const std::byte>)>& visit);

}  // namespace wattwise::model
