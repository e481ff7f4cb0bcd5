// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wattwise/result.h"
#include "wattwise/tensor.h"
#include "wattwise/units.h"

namespace wattwise {

/// What a path is.
struct FileInfo {
  bool is_directory = false;
  bool is_regular = true;  ///< neither a folder nor a device, pipe or socket
  uint64_t size_bytes = 0;
  int64_t modified_ns = 0;  ///< since the epoch
};

/// A file being written. Destroying it without close() closes it and hides any error.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  virtual Result<void> append(std::span<const std::byte> bytes) = 0;
  /// Forces the content to the disk.
  virtual Result<void> sync() = 0;
  virtual Result<void> close() = 0;
};

/// An advisory lock on a file, held until destroyed.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

/// The one door to the operating system: files and clocks. Passed in, never reached for.
/// Paths are UTF-8, '/'-separated. Thread rule: every method may be called from any thread.
class Env {
 public:
  virtual ~Env() = default;

  // --- files ---
  /// The whole file; meant for small ones. kNotFound, kIo.
  virtual Result<std::string> read_file(const std::string& path) const = 0;
  /// The file as read-only bytes, mapped where the system can. An empty file gives empty Bytes.
  virtual Result<Bytes> map_file(const std::string& path) const = 0;
  /// Lets the system take back the memory behind `mapped`, a result of map_file() or a part of one;
  /// reading it again reads the file again. Pages that `mapped` covers in part only may stay.
  virtual void release_pages(const Bytes& mapped) const = 0;
  /// Truncates or creates. kIo when the folder is missing.
  virtual Result<std::unique_ptr<WritableFile>> create_file(const std::string& path) = 0;
  /// Opens for appending, creating if needed; each append() is one write.
  virtual Result<std::unique_ptr<WritableFile>> append_file(const std::string& path) = 0;
  /// Absent when nothing is there or it cannot be looked at. Follows links.
  virtual std::optional<FileInfo> stat(const std::string& path) const = 0;
  /// Names (not paths), sorted, without "." and "..".
  virtual Result<std::vector<std::string>> list_directory(const std::string& path) const = 0;
  virtual Result<void> create_directories(const std::string& path) = 0;
  /// Replaces `to` atomically.
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  /// Removes a file or a whole folder; fine if it does not exist.
  virtual Result<void> remove(const std::string& path) = 0;
  /// Absolute path with every link resolved; kNotFound if it does not exist.
  virtual Result<std::string> canonical_path(const std::string& path) const = 0;
  /// Makes a rename in this folder durable.
  virtual Result<void> sync_directory(const std::string& path) = 0;
  /// Takes an exclusive lock on `path` (created if missing); kUnavailable after `timeout`.
  virtual Result<std::unique_ptr<FileLock>> lock_file(const std::string& path, Seconds timeout) = 0;
  /// A new empty folder that no one else uses; the caller removes it.
  virtual Result<std::string> make_temp_directory() = 0;

  // --- time ---
  /// Since an arbitrary start; never goes back.
  virtual Seconds monotonic_now() const = 0;
  /// Since the Unix epoch.
  virtual Seconds wall_now() const = 0;
  /// CPU time used by this process, all threads.
  virtual Seconds process_cpu_now() const = 0;
  virtual void sleep_for(Seconds duration) = 0;

  // --- process ---
  virtual std::optional<std::string> variable(const std::string& name) const = 0;
  virtual int64_t process_id() const = 0;
};

/// The real one: a single object for the whole process, without state.
Env& system_env();

/// `directory` + "/" + `name`, without doubling the slash; `name` alone if it is absolute.
std::string join_path(std::string_view directory, std::string_view name);
/// The folder part; "." when there is none.
std::string parent_path(std::string_view path);
/// The last part.
std::string file_name(std::string_view path);
/// The last part without its final extension.
std::string file_stem(std::string_view path);
/// The final extension with its dot, or "".
std::string file_extension(std::string_view path);

}  // namespace wattwise
