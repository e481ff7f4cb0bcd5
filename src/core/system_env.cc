// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include "core/env.h"

namespace wattwise {
namespace {

/// Who waits for a lock looks the more often the longer it has waited, so that those who came first
/// mostly get it first.
constexpr Seconds kFirstPause{0.008};
constexpr Seconds kLastPause{0.0005};
constexpr double kAging = 50;  // a second of waiting shortens the pause by a fiftieth of it

Error system_error(std::string_view what, const std::string& path, int number) {
  const ErrorCode code = number == ENOENT || number == ENOTDIR ? ErrorCode::kNotFound
                         : number == ENOSPC || number == EDQUOT || number == EMFILE
                             ? ErrorCode::kExhausted
                             : ErrorCode::kIo;
  return {code, fmt::format("cannot {} {}: {}", what, path, std::strerror(number))};
}

/// An open file descriptor; closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

Result<Descriptor> open_file(const std::string& path, int flags, std::string_view what) {
  Descriptor fd(::open(path.c_str(), flags | O_CLOEXEC, 0644));
  if (fd.get() < 0) return system_error(what, path, errno);
  return fd;
}

class SystemFile final : public WritableFile {
 public:
  SystemFile(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<void> append(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return system_error("write", path_, errno);
      bytes = bytes.subspan(static_cast<size_t>(written));
    }
    return {};
  }
  Result<void> sync() override {
    if (::fdatasync(fd_.get()) != 0) return system_error("sync", path_, errno);
    return {};
  }
  Result<void> close() override {
    if (::close(fd_.release()) != 0) return system_error("close", path_, errno);
    return {};
  }

 private:
  Descriptor fd_;
  std::string path_;
};

class SystemLock final : public FileLock {
 public:
  explicit SystemLock(Descriptor fd) : fd_(std::move(fd)) {}

 private:
  Descriptor fd_;
};

Seconds read_clock(clockid_t id) {
  timespec now{};
  ::clock_gettime(id, &now);
  return Seconds(static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9);
}

class SystemEnv final : public Env {
 public:
  Result<std::string> read_file(const std::string& path) const override {
    auto fd = WATTWISE_TRY(open_file(path, O_RDONLY, "read"));
    std::string content;
    char buffer[16384];
    while (true) {
      const ssize_t count = ::read(fd.get(), buffer, sizeof buffer);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return system_error("read", path, errno);
      if (count == 0) return content;
      content.append(buffer, static_cast<size_t>(count));
    }
  }

  Result<Bytes> map_file(const std::string& path) const override {
    // Opening a pipe would wait for whoever writes to it.
    auto fd = WATTWISE_TRY(open_file(path, O_RDONLY | O_NONBLOCK, "read"));
    struct ::stat info {};
    if (::fstat(fd.get(), &info) != 0) return system_error("read", path, errno);
    if (S_ISDIR(info.st_mode)) return system_error("read", path, EISDIR);
    if (!S_ISREG(info.st_mode)) {
      return Error(ErrorCode::kInvalidArgument,
                   "cannot read " + path + ": it is a device, pipe or socket; name a file");
    }
    const auto size = static_cast<size_t>(info.st_size);
    if (size == 0) return Bytes();
    void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (address == MAP_FAILED) return system_error("map", path, errno);
    std::shared_ptr<const void> owner(
        address, [size](const void* p) { ::munmap(const_cast<void*>(p), size); });
    return Bytes(std::move(owner), {static_cast<const std::byte*>(address), size});
  }

  void release_pages(const Bytes& mapped) const override {
    const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto begin = reinterpret_cast<uintptr_t>(mapped.data());
    const uintptr_t first = (begin + page - 1) / page * page;
    const uintptr_t end = (begin + mapped.size()) / page * page;
    if (first >= end) return;
    // Advice only: if it is refused, the pages just stay.
    ::madvise(reinterpret_cast<void*>(first), end - first, MADV_DONTNEED);
  }

  Result<std::unique_ptr<WritableFile>> create_file(const std::string& path) override {
    auto fd = WATTWISE_TRY(open_file(path, O_WRONLY | O_CREAT | O_TRUNC, "create"));
    return std::unique_ptr<WritableFile>(new SystemFile(std::move(fd), path));
  }

  Result<std::unique_ptr<WritableFile>> append_file(const std::string& path) override {
    auto fd = WATTWISE_TRY(open_file(path, O_WRONLY | O_CREAT | O_APPEND, "append to"));
    return std::unique_ptr<WritableFile>(new SystemFile(std::move(fd), path));
  }

  std::optional<FileInfo> stat(const std::string& path) const override {
    struct ::stat info {};
    if (::stat(path.c_str(), &info) != 0) return std::nullopt;
    const int64_t nanoseconds = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
    return FileInfo{S_ISDIR(info.st_mode), S_ISREG(info.st_mode),
                    static_cast<uint64_t>(info.st_size), nanoseconds};
  }

  Result<std::vector<std::string>> list_directory(const std::string& path) const override {
    DIR* directory = ::opendir(path.c_str());
    if (!directory) return system_error("list", path, errno);
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(directory)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    ::closedir(directory);
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<void> create_directories(const std::string& path) override {
    std::error_code code;
    std::filesystem::create_directories(path, code);
    if (code) return system_error("create the folder", path, code.value());
    return {};
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return system_error("move a file to", to, errno);
    return {};
  }

  Result<void> remove(const std::string& path) override {
    std::error_code code;
    std::filesystem::remove_all(path, code);
    if (code) return system_error("remove", path, code.value());
    return {};
  }

  Result<std::string> canonical_path(const std::string& path) const override {
    std::error_code code;
    auto canonical = std::filesystem::canonical(path, code);
    if (code) return system_error("find", path, code.value());
    return canonical.string();
  }

  Result<void> sync_directory(const std::string& path) override {
    auto fd = WATTWISE_TRY(open_file(path, O_RDONLY | O_DIRECTORY, "sync"));
    // Some file systems cannot sync a folder; the rename is then as durable as they make it.
    if (::fsync(fd.get()) != 0 && errno != EINVAL) return system_error("sync", path, errno);
    return {};
  }

  Result<std::unique_ptr<FileLock>> lock_file(const std::string& path, Seconds timeout) override {
    auto fd = WATTWISE_TRY(open_file(path, O_RDWR | O_CREAT, "lock"));
    const Seconds start = monotonic_now();
    while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK && errno != EINTR) return system_error("lock", path, errno);
      const Seconds waited = monotonic_now() - start;
      if (waited >= timeout) {
        return Error(ErrorCode::kUnavailable,
                     fmt::format("{} is locked by another process; try again", path));
      }
      sleep_for(std::clamp(kFirstPause - waited / kAging, kLastPause, kFirstPause));
    }
    return std::unique_ptr<FileLock>(new SystemLock(std::move(fd)));
  }

  Result<std::string> make_temp_directory() override {
    std::string name = join_path(variable("TMPDIR").value_or("/tmp"), "wattwise-XXXXXX");
    if (!::mkdtemp(name.data())) return system_error("create the folder", name, errno);
    return name;
  }

  Seconds monotonic_now() const override { return read_clock(CLOCK_MONOTONIC); }
  Seconds wall_now() const override { return read_clock(CLOCK_REALTIME); }
  Seconds process_cpu_now() const override { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }
  void sleep_for(Seconds duration) override {
    std::this_thread::sleep_for(std::chrono::duration<double>(duration.count()));
  }
  std::optional<std::string> variable(const std::string& name) const override {
    const char* value = std::getenv(name.c_str());
    if (!value) return std::nullopt;
    return value;
  }
  int64_t process_id() const override { return ::getpid(); }
};

}  // namespace

Env& system_env() {
  static SystemEnv env;
  return env;
}

}  // namespace wattwise
