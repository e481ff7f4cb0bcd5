// SPDX-License-Identifier: Apache-2.0
#include "deploy/staging.h"

#include <fmt/format.h>

#include <utility>

namespace wattwise::deploy {

Result<Staging> Staging::create(Env& env, const std::string& output_path) {
  std::string folder =
      join_path(parent_path(output_path),
                fmt::format(".{}.{}.staging", file_name(output_path), env.process_id()));
  WATTWISE_TRY(env.create_directories(folder));
  return Staging(env, std::move(folder), output_path);
}

Staging::Staging(Staging&& other) noexcept
    : env_(other.env_),
      folder_(std::exchange(other.folder_, "")),
      output_path_(std::move(other.output_path_)) {}

Staging::~Staging() {
  if (folder_.empty()) return;
  // A leftover that the system refuses to remove is hidden and harmless.
  [[maybe_unused]] const auto ignored = env_->remove(folder_);
}

Result<void> Staging::clear() {
  WATTWISE_TRY(env_->remove(folder_));
  return env_->create_directories(folder_);
}

Result<void> Staging::publish() {
  const std::string output_folder = parent_path(output_path_);
  const std::string output_name = file_name(output_path_);
  for (const std::string& name : WATTWISE_TRY(env_->list_directory(folder_))) {
    if (name != output_name) {
      WATTWISE_TRY(env_->rename(path(name), join_path(output_folder, name)));
    }
  }
  WATTWISE_TRY(env_->rename(path(output_name), output_path_));
  return env_->sync_directory(output_folder);
}

}  // namespace wattwise::deploy
