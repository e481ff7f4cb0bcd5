// SPDX-License-Identifier: Apache-2.0
#include "device/process_memory.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <charconv>
#include <string>

namespace wattwise::device {

namespace {

/// The first number after `label` in a file.
std::optional<uint64_t> number_in(const Env& env, const std::string& path, std::string_view label) {
  const auto text = env.read_file(path);
  if (!text) return std::nullopt;
  const size_t at = text->find(label);
  if (at == std::string::npos) return std::nullopt;
  const size_t digit = text->find_first_not_of(" \t", at + label.size());
  uint64_t number = 0;
  const char* end = text->data() + text->size();
  if (digit == std::string::npos ||
      std::from_chars(text->data() + digit, end, number).ec != std::errc()) {
    return std::nullopt;
  }
  return number;
}

std::optional<uint64_t> kilobytes_in(const Env& env, const std::string& path,
                                     std::string_view label) {
  const auto number = number_in(env, path, label);
  return number ? std::optional(*number * 1024) : std::nullopt;
}

/// What the groups that the process is in have left, the tightest of them; "max" is no number.
std::optional<uint64_t> left_in_groups(const Env& env) {
  const auto text = env.read_file("/proc/self/cgroup");
  if (!text || !text->starts_with("0::/")) return std::nullopt;
  std::string group = "/sys/fs/cgroup" + text->substr(3, text->find('\n') - 3);
  std::optional<uint64_t> least;
  for (; group.starts_with("/sys/fs/cgroup"); group = parent_path(group)) {
    const auto limit = number_in(env, join_path(group, "memory.max"), "");
    const auto used = number_in(env, join_path(group, "memory.current"), "");
    if (!limit || !used) continue;
    const uint64_t left = *limit > *used ? *limit - *used : 0;
    least = std::min(least.value_or(left), left);
  }
  return least;
}

}  // namespace

std::optional<uint64_t> anonymous_bytes(const Env& env) {
  return kilobytes_in(env, "/proc/self/status", "RssAnon:");
}

std::optional<uint64_t> available_bytes(const Env& env) {
  const auto system = kilobytes_in(env, "/proc/meminfo", "MemAvailable:");
  const auto group = left_in_groups(env);
  if (!system || !group) return system ? system : group;
  return std::min(*system, *group);
}

void return_free_memory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace wattwise::device
