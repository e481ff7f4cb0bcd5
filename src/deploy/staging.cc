// SPDX-License-Identifier: Apache-2.0
#include "deploy/staging.h"

#include <fmt/format.h>

#include <atomic>
#include <utility>
#include <vector>

#include "core/text.h"
#include "deploy/context.h"

namespace wattwise::deploy {
namespace {

/// The path without "." and "..", which a folder that does not exist yet would leave in it.
std::string without_dots(const std::string& path) {
  std::vector<std::string> parts;
  for (const std::string& part : split(path, '/')) {
    if (part == ".." && !parts.empty()) parts.pop_back();
    if (part != ".." && part != "." && !part.empty()) parts.push_back(part);
  }
  return "/" + join(parts, "/");
}

constexpr std::string_view kLockEnding = ".staging.lock";

std::string lock_of(const std::string& folder) { return folder + ".lock"; }

/// Removes the folders in `place` whose locks nobody holds any more. What cannot be removed, or
/// looked at, stays: it is hidden and harmless.
void sweep(Env& env, const std::string& place) {
  const auto names = env.list_directory(place);
  if (!names) return;
  for (const std::string& name : *names) {
    if (!name.starts_with('.') || !name.ends_with(kLockEnding)) continue;
    const std::string lock_file = join_path(place, name);
    const auto lock = env.lock_file(lock_file, Seconds(0));
    if (!lock) continue;  // its owner is at work
    const std::string folder = lock_file.substr(0, lock_file.size() - lock_of("").size());
    if (!env.remove(folder)) continue;
    [[maybe_unused]] const auto ignored = env.remove(lock_file);
  }
}

/// A folder's name and the lock on it, null where the file system has none.
struct Claim {
  std::string folder;
  std::unique_ptr<FileLock> lock;
};

/// A name that nobody else uses. Someone who sweeps may take its lock first, and would then remove
/// the folder: another name is taken instead.
Claim claim(Env& env, const std::string& place, const std::string& output_path) {
  static std::atomic<uint64_t> counter{0};  // several threads may prepare the same output
  while (true) {
    std::string folder = join_path(place, fmt::format(".{}.{}-{}.staging", file_name(output_path),
                                                      env.process_id(), counter++));
    auto lock = env.lock_file(lock_of(folder), Seconds(0));
    if (lock) return {std::move(folder), std::move(*lock)};
    if (lock.error().code() != ErrorCode::kUnavailable) return {std::move(folder), nullptr};
  }
}

}  // namespace

Result<std::string> output_file(const Env& env, const std::string& requested,
                                const std::string& input) {
  const auto refuse = [](const std::string& why) {
    return Error(ErrorCode::kInvalidArgument, why + "; name another file");
  };
  const std::string output = without_dots(absolute_path(env, requested));
  const auto canonical = env.canonical_path(output);
  if (output == input || (canonical && *canonical == input)) {
    return refuse(fmt::format("the output {} is the input itself", output));
  }
  const auto there = env.stat(output);
  if (there && !there->is_regular) {
    return refuse(fmt::format("the output {} is {}", output,
                              there->is_directory ? "a folder" : "a device, pipe or socket"));
  }
  return output;
}

Result<Staging> Staging::create(Env& env, const std::string& output_path) {
  std::string place = parent_path(output_path);
  while (!env.stat(place) && place != "/" && place != ".") place = parent_path(place);
  sweep(env, place);
  Claim claimed = claim(env, place, output_path);
  Staging staging(env, std::move(claimed.folder), output_path);
  staging.lock_ = std::move(claimed.lock);
  if (auto made = env.create_directories(staging.folder_); !made) {
    const Error& why = made.error();
    return Error(why.code() == ErrorCode::kExhausted ? why.code() : ErrorCode::kIo,
                 fmt::format("the output {} cannot be written: {}; name a place that can be "
                             "written to with --output-path",
                             output_path, why.message()));
  }
  return staging;
}

Staging::Staging(Staging&& other) noexcept
    : env_(other.env_),
      folder_(std::exchange(other.folder_, "")),
      output_path_(std::move(other.output_path_)),
      lock_(std::move(other.lock_)) {}

Staging::~Staging() {
  if (folder_.empty()) return;
  // The next one there tries again to remove what the system refuses to.
  if (env_->remove(folder_) && lock_) {
    [[maybe_unused]] const auto ignored = env_->remove(lock_of(folder_));
  }
}

Result<void> Staging::clear() {
  WATTWISE_TRY(env_->remove(folder_));
  return env_->create_directories(folder_);
}

Result<void> Staging::move_into_place(Moves& done) {
  const std::string output_folder = parent_path(output_path_);
  const std::string output_name = file_name(output_path_);
  const auto move = [&](const std::string& from, const std::string& to) -> Result<void> {
    WATTWISE_TRY(env_->rename(from, to));
    done.emplace_back(from, to);
    return {};
  };
  WATTWISE_TRY(env_->create_directories(output_folder));
  for (const std::string& name : WATTWISE_TRY(env_->list_directory(folder_))) {
    if (name == output_name) continue;
    const std::string place = join_path(output_folder, name);
    if (env_->stat(place)) WATTWISE_TRY(move(place, path(name + ".old")));
    WATTWISE_TRY(move(path(name), place));
  }
  WATTWISE_TRY(move(path(output_name), output_path_));
  return env_->sync_directory(output_folder);
}

Result<void> Staging::publish() {
  Moves done;
  auto published = move_into_place(done);
  if (published) return {};
  for (auto it = done.rbegin(); it != done.rend(); ++it) {
    // The first error is the one that counts.
    [[maybe_unused]] const auto ignored = env_->rename(it->second, it->first);
  }
  return published;
}

}  // namespace wattwise::deploy
