// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/env.h"

namespace wattwise {

/// A file that appears whole or not at all: written beside its final place under a temporary
/// name, synced, then renamed. Destroyed before commit(), it removes what it wrote.
class AtomicFile {
 public:
  /// Creates missing folders. `env` must outlive the object.
  static Result<AtomicFile> create(Env& env, std::string final_path);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  /// Where the bytes are until commit(); others may read it after flush().
  const std::string& temporary_path() const { return temporary_path_; }
  Result<void> append(std::span<const std::byte> bytes);
  /// Makes everything appended readable under temporary_path(). No append() after it.
  Result<void> flush();
  /// fsync, rename, fsync of the folder.
  Result<void> commit();

 private:
  AtomicFile(Env& env, std::string final_path, std::string temporary_path,
             std::unique_ptr<WritableFile> file);
  Env* env_;
  std::string final_path_;
  std::string temporary_path_;
  std::unique_ptr<WritableFile> file_;
  bool done_ = false;
};

/// The whole file in one call.
Result<void> write_file_atomically(Env& env, const std::string& path, std::string_view content);

}  // namespace wattwise
