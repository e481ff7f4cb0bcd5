// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/env.h"
#include "core/json.h"

namespace wattwise::store {

inline constexpr std::string_view kJournalExtension = ".jsonl";

/// Records of one process on their way into the database: one JSON line each, appended with one
/// write, in a file of its own below `<database>.journal/`. A lock on the file says that its
/// process lives. Thread rule: any thread.
class Journal {
 public:
  static Result<std::unique_ptr<Journal>> create(Env& env, const std::string& folder);

  /// Appends {"table": ..., "row": ...}.
  Result<void> append(std::string_view table, const Json& row);
  const std::string& name() const { return name_; }

 private:
  Journal(std::string name, std::unique_ptr<FileLock> lock, std::unique_ptr<WritableFile> file)
      : name_(std::move(name)), lock_(std::move(lock)), file_(std::move(file)) {}
  std::string name_;
  std::unique_ptr<FileLock> lock_;
  std::mutex mutex_;
  std::unique_ptr<WritableFile> file_;
  bool torn_ = false;  // the last append failed
};

/// Whole lines of a journal from `offset` on, and where they end. A torn last line waits.
struct JournalPart {
  std::vector<Json> records;
  size_t end = 0;
};
Result<JournalPart> read_journal(const Env& env, const std::string& path, size_t offset);

}  // namespace wattwise::store
