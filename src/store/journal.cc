// SPDX-License-Identifier: Apache-2.0
#include "store/journal.h"

#include <fmt/format.h>

#include <atomic>

namespace wattwise::store {

Result<std::unique_ptr<Journal>> Journal::create(Env& env, const std::string& folder) {
  static std::atomic<int> counter{0};  // one process may open several stores
  WATTWISE_TRY(env.create_directories(folder));
  const std::string name =
      fmt::format("{}-{:.0f}-{}.jsonl", env.process_id(), env.wall_now().count() * 1e6, counter++);
  const std::string path = join_path(folder, name);
  auto lock = WATTWISE_TRY(env.lock_file(path, Seconds(1)));
  auto file = WATTWISE_TRY(env.append_file(path));
  return std::unique_ptr<Journal>(new Journal(name, std::move(lock), std::move(file)));
}

Result<void> Journal::append(std::string_view table, const Json& row) {
  const Json record = {{"table", table}, {"row", row}};
  const std::string line = record.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  const std::lock_guard lock(mutex_);
  return file_->append(std::as_bytes(std::span<const char>(line)));
}

Result<JournalPart> read_journal(const Env& env, const std::string& path, size_t offset) {
  const std::string content = WATTWISE_TRY(env.read_file(path));
  JournalPart part{{}, offset};
  for (size_t end = content.find('\n', part.end); end != std::string::npos;
       end = content.find('\n', part.end)) {
    const std::string_view line(content.data() + part.end, end - part.end);
    part.end = end + 1;
    // A line torn by a crash in the middle of an older write is damaged for good; skip it.
    if (auto record = parse_json(line, path)) part.records.push_back(std::move(*record));
  }
  return part;
}

}  // namespace wattwise::store
