// SPDX-License-Identifier: Apache-2.0
#include "device/process_memory.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <charconv>

namespace wattwise::device {

std::optional<uint64_t> anonymous_bytes(const Env& env) {
  constexpr std::string_view kLabel = "RssAnon:";
  const auto status = env.read_file("/proc/self/status");
  if (!status) return std::nullopt;
  const size_t at = status->find(kLabel);
  if (at == std::string::npos) return std::nullopt;
  const size_t digit = status->find_first_of("0123456789", at);
  uint64_t kilobytes = 0;
  const char* end = status->data() + status->size();
  if (digit == std::string::npos ||
      std::from_chars(status->data() + digit, end, kilobytes).ec != std::errc()) {
    return std::nullopt;
  }
  return kilobytes * 1024;
}

void return_free_memory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace wattwise::device
