// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/env.h"

namespace wattwise::deploy {

/// Where a result goes: `requested` in absolute form, without "." and "..". kInvalidArgument for
/// the input itself, whatever it is called, and for anything there that is no plain file.
Result<std::string> output_file(const Env& env, const std::string& requested,
                                const std::string& input);

/// A hidden folder beside the output (or where the output's folder will be made), in which files
/// and folders are made and checked before they get their final place. Removed with all it still
/// holds when destroyed. A lock file beside it, held as long, tells others that it is in use.
class Staging {
 public:
  /// Also removes what processes that were killed have left in the same place. `env` must outlive
  /// the object. kIo says that the output cannot be written there.
  static Result<Staging> create(Env& env, const std::string& output_path);
  Staging(Staging&& other) noexcept;
  Staging& operator=(Staging&&) = delete;
  ~Staging();

  const std::string& folder() const { return folder_; }
  /// Where `name` is made.
  std::string path(const std::string& name) const { return join_path(folder_, name); }
  /// Removes everything made so far.
  Result<void> clear();
  /// Moves everything to the output's folder in place of what has the same name there, the output
  /// itself last. On failure all that was moved goes back; only if the system fails to sync the
  /// folder after the last move is an older output already lost.
  Result<void> publish();

 private:
  Staging(Env& env, std::string folder, std::string output_path)
      : env_(&env), folder_(std::move(folder)), output_path_(std::move(output_path)) {}
  using Moves = std::vector<std::pair<std::string, std::string>>;
  Result<void> move_into_place(Moves& done);
  Env* env_;
  std::string folder_;
  std::string output_path_;
  std::unique_ptr<FileLock> lock_;  ///< absent where the file system has no locks
};

}  // namespace wattwise::deploy
