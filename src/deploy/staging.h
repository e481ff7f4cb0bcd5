// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/env.h"

namespace wattwise::deploy {

/// Where a result goes: `requested` in absolute form, without "." and "..". kInvalidArgument for
/// the input itself, whatever it is called, and for anything there that is no plain file.
Result<std::string> output_file(const Env& env, const std::string& requested,
                                const std::string& input);

/// A hidden folder beside the output, in which files are made and checked before they get their
/// final place. Removed with all it still holds when destroyed.
class Staging {
 public:
  /// `env` must outlive the object.
  static Result<Staging> create(Env& env, const std::string& output_path);
  Staging(Staging&& other) noexcept;
  Staging& operator=(Staging&&) = delete;
  ~Staging();

  /// Where `name` is made.
  std::string path(const std::string& name) const { return join_path(folder_, name); }
  /// Removes everything made so far.
  Result<void> clear();
  /// Moves every file to the output's folder, the output itself last.
  Result<void> publish();

 private:
  Staging(Env& env, std::string folder, std::string output_path)
      : env_(&env), folder_(std::move(folder)), output_path_(std::move(output_path)) {}
  Env* env_;
  std::string folder_;
  std::string output_path_;
};

}  // namespace wattwise::deploy
