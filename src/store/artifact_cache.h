// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/env.h"
#include "core/json.h"
#include "core/log.h"

namespace wattwise::store {

struct CacheOptions {
  std::string folder;  ///< "": $WATTWISE_CACHE, else wattwise/prepared in the XDG cache folder
  uint64_t max_bytes = 0;
  Logger logger;
};

/// Files that were made before, kept under a key that stands for all that decides them
/// (docs/formats/cache.md). An entry appears whole or not at all, and every file's hash is checked
/// before it is used; a damaged entry is dropped and told in the log. The entries that were not
/// used longest go when all together are above `max_bytes`. Nothing is synced to the disk: what a
/// crash damages is found out. Several processes and threads may use one folder at once.
class ArtifactCache {
 public:
  /// `env` must outlive the object. Touches nothing.
  ArtifactCache(Env& env, CacheOptions options);

  /// The entry's note if what it would write below `folder` is there already, byte for byte, and
  /// its folders hold nothing else; absent otherwise.
  std::optional<Json> find_in_place(const std::string& key, const std::string& folder);
  /// Writes the entry's files below `folder`, synced, and returns its note; absent without a sound
  /// entry. kIo, kExhausted when `folder` cannot be written; part of the files may be there then.
  Result<std::optional<Json>> restore(const std::string& key, const std::string& folder);
  /// Keeps all files below `folder` with a note. kExhausted for more than the cache may hold.
  Result<void> keep(const std::string& key, const std::string& folder, const Json& note);

 private:
  /// Removes the least recently used entries above the limit, and what killed processes left.
  Result<void> trim();
  /// Only the order of removal depends on it.
  void mark_used(const std::string& key);
  /// Moves what was written to its place, where another process may be before or behind it.
  Result<void> publish(const std::string& part, const std::string& key);
  /// Removes an entry so that nobody sees part of it.
  Result<void> drop(const std::string& name);
  std::string path(const std::string& name) const { return join_path(options_.folder, name); }

  Env& env_;
  CacheOptions options_;
};

}  // namespace wattwise::store
