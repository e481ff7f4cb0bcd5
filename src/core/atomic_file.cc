// SPDX-License-Identifier: Apache-2.0
#include "core/atomic_file.h"

#include <fmt/format.h>

#include <atomic>
#include <utility>

namespace wattwise {
namespace {

std::string temporary_name(const Env& env, const std::string& final_path) {
  static std::atomic<uint64_t> counter{0};  // distinguishes files that one process writes at once
  return fmt::format("{}.{}-{}.tmp", final_path, env.process_id(), counter++);
}

}  // namespace

Result<AtomicFile> AtomicFile::create(Env& env, std::string final_path) {
  WATTWISE_TRY(env.create_directories(parent_path(final_path)));
  std::string temporary = temporary_name(env, final_path);
  auto file = WATTWISE_TRY(env.create_file(temporary));
  return AtomicFile(env, std::move(final_path), std::move(temporary), std::move(file));
}

AtomicFile::AtomicFile(Env& env, std::string final_path, std::string temporary_path,
                       std::unique_ptr<WritableFile> file)
    : env_(&env),
      final_path_(std::move(final_path)),
      temporary_path_(std::move(temporary_path)),
      file_(std::move(file)) {}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : env_(other.env_),
      final_path_(std::move(other.final_path_)),
      temporary_path_(std::move(other.temporary_path_)),
      file_(std::move(other.file_)),
      done_(std::exchange(other.done_, true)) {}

AtomicFile::~AtomicFile() {
  if (done_) return;
  file_.reset();
  // Nothing more can be done about a leftover that the system refuses to remove.
  [[maybe_unused]] const auto ignored = env_->remove(temporary_path_);
}

Result<void> AtomicFile::append(std::span<const std::byte> bytes) { return file_->append(bytes); }

Result<void> AtomicFile::flush() {
  if (!file_) return {};
  WATTWISE_TRY(file_->sync());
  WATTWISE_TRY(file_->close());
  file_.reset();
  return {};
}

Result<void> AtomicFile::commit() {
  WATTWISE_TRY(flush());
  WATTWISE_TRY(env_->rename(temporary_path_, final_path_));
  done_ = true;
  return env_->sync_directory(parent_path(final_path_));
}

Result<void> write_file_atomically(Env& env, const std::string& path, std::string_view content) {
  auto file = WATTWISE_TRY(AtomicFile::create(env, path));
  WATTWISE_TRY(file.append(std::as_bytes(std::span<const char>(content))));
  return file.commit();
}

}  // namespace wattwise
