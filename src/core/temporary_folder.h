// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "core/env.h"

namespace wattwise {

/// A new folder among the system's temporary ones, removed with all that is in it when this goes.
/// `env` must outlive it.
class TemporaryFolder {
 public:
  static Result<std::unique_ptr<TemporaryFolder>> create(Env& env);
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();

  const std::string& path() const { return path_; }

 private:
  TemporaryFolder(Env& env, std::string path) : env_(env), path_(std::move(path)) {}

  Env& env_;
  std::string path_;
};

}  // namespace wattwise
