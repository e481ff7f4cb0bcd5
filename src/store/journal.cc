// SPDX-License-Identifier: Apache-2.0
#include "store/journal.h"

#include <fmt/format.h>

#include <atomic>

namespace wattwise::store {

Result<std::unique_ptr<Journal>> Journal::create(Env& env, const std::string& folder) {
  static std::atomic<int> counter{0};  // one process may open several stores
  WATTWISE_TRY(env.create_directories(folder));
  const std::string name = fmt::format("{}-{:.0f}-{}{}", env.process_id(),
                                       env.wall_now().count() * 1e6, counter++, kJournalExtension);
  // It gets its name only once it is locked: a journal without a lock belongs to a dead process.
  const std::string path = join_path(folder, name);
  const std::string unnamed = path + ".new";
  auto lock = WATTWISE_TRY(env.lock_file(unnamed, Seconds(1)));
  auto file = WATTWISE_TRY(env.append_file(unnamed));
  WATTWISE_TRY(env.rename(unnamed, path));
  return std::unique_ptr<Journal>(new Journal(name, std::move(lock), std::move(file)));
}

Result<void> Journal::append(std::string_view table, const Json& row) {
  const Json record = {{"table", table}, {"row", row}};
  const std::string line = write_json(record) + "\n";
  const std::lock_guard lock(mutex_);
  // A write that failed may have left half a line; the next record starts a line of its own.
  const std::string text = torn_ ? "\n" + line : line;
  auto written = file_->append(std::as_bytes(std::span<const char>(text)));
  torn_ = !written;
  return written;
}

Result<JournalPart> read_journal(const Env& env, const std::string& path, size_t offset) {
  const Bytes mapped = WATTWISE_TRY(env.map_file(path));
  const std::string_view content(reinterpret_cast<const char*>(mapped.data()), mapped.size());
  JournalPart part{{}, offset};
  for (size_t end = content.find('\n', part.end); end != std::string_view::npos;
       end = content.find('\n', part.end)) {
    const std::string_view line(content.data() + part.end, end - part.end);
    part.end = end + 1;
    // A line torn by a crash in the middle of an older write is damaged for good; skip it.
    if (auto record = parse_json(line, path)) part.records.push_back(std::move(*record));
  }
  return part;
}

}  // namespace wattwise::store
