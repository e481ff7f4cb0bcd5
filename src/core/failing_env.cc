// SPDX-License-Identifier: Apache-2.0
#include "core/failing_env.h"

#include <fmt/format.h>

#include <utility>

namespace wattwise {
namespace {

class FailingFile final : public WritableFile {
 public:
  FailingFile(FailingEnv& env, std::unique_ptr<WritableFile> file)
      : env_(env), file_(std::move(file)) {}
  Result<void> append(std::span<const std::byte> bytes) override {
    WATTWISE_TRY(env_.count("write"));
    return file_->append(bytes);
  }
  Result<void> sync() override {
    WATTWISE_TRY(env_.count("sync"));
    return file_->sync();
  }
  Result<void> close() override {
    WATTWISE_TRY(env_.count("close"));
    return file_->close();
  }

 private:
  FailingEnv& env_;
  std::unique_ptr<WritableFile> file_;
};

}  // namespace

Result<void> FailingEnv::count(const std::string& what) {
  if (++calls_ != fail_at_) return {};
  return Error(ErrorCode::kIo, fmt::format("cannot {}: no space left on device", what));
}

Result<std::string> FailingEnv::read_file(const std::string& path) const {
  return base_.read_file(path);
}
Result<Bytes> FailingEnv::map_file(const std::string& path) const { return base_.map_file(path); }

void FailingEnv::release_pages(const Bytes& mapped) const { base_.release_pages(mapped); }

Result<std::unique_ptr<WritableFile>> FailingEnv::create_file(const std::string& path) {
  WATTWISE_TRY(count("create " + path));
  auto file = WATTWISE_TRY(base_.create_file(path));
  return std::unique_ptr<WritableFile>(new FailingFile(*this, std::move(file)));
}

Result<std::unique_ptr<WritableFile>> FailingEnv::append_file(const std::string& path) {
  WATTWISE_TRY(count("append to " + path));
  auto file = WATTWISE_TRY(base_.append_file(path));
  return std::unique_ptr<WritableFile>(new FailingFile(*this, std::move(file)));
}

std::optional<FileInfo> FailingEnv::stat(const std::string& path) const { return base_.stat(path); }

Result<std::vector<std::string>> FailingEnv::list_directory(const std::string& path) const {
  return base_.list_directory(path);
}

Result<void> FailingEnv::create_directories(const std::string& path) {
  WATTWISE_TRY(count("create the folder " + path));
  return base_.create_directories(path);
}

Result<void> FailingEnv::rename(const std::string& from, const std::string& to) {
  WATTWISE_TRY(count("move " + from));
  return base_.rename(from, to);
}

Result<void> FailingEnv::remove(const std::string& path) { return base_.remove(path); }

Result<std::string> FailingEnv::canonical_path(const std::string& path) const {
  return base_.canonical_path(path);
}
Result<void> FailingEnv::sync_directory(const std::string& path) {
  WATTWISE_TRY(count("sync " + path));
  return base_.sync_directory(path);
}
Result<std::unique_ptr<FileLock>> FailingEnv::lock_file(const std::string& path, Seconds timeout) {
  return base_.lock_file(path, timeout);
}
Result<std::string> FailingEnv::make_temp_directory() { return base_.make_temp_directory(); }
Seconds FailingEnv::monotonic_now() const { return base_.monotonic_now(); }
Seconds FailingEnv::wall_now() const { return base_.wall_now(); }
Seconds FailingEnv::process_cpu_now() const { return base_.process_cpu_now(); }
void FailingEnv::sleep_for(Seconds duration) { base_.sleep_for(duration); }
std::optional<std::string> FailingEnv::variable(const std::string& name) const {
  return base_.variable(name);
}
int64_t FailingEnv::process_id() const { return base_.process_id(); }

}  // namespace wattwise
