// SPDX-License-Identifier: Apache-2.0
#include "store/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <utility>

#include "core/text.h"
#include "store/journal.h"
#include "store/sql.h"
#include "store/store_path.h"
#include "store/tables.h"

namespace wattwise::store {
namespace {

constexpr int kSchemaVersion = 1;
constexpr const char* kJournalFolder = ".journal";
/// A reader waits this long for the others' short transactions.
constexpr Seconds kReadersPatience(20);
/// A reader leaves fewer new rows in their journals: it sees them, but writing and syncing the file
/// for them would make all others wait, for seconds where the disk is busy.
constexpr size_t kRowsWorthMoving = 1000;
/// What a dead process has left so long ago is moved in any case.
constexpr Seconds kAbandoned(5);
/// What a writer has journalled is safe already: when others are busy with the database, the next
/// one of them takes it in, and readers wait for fewer.
constexpr Seconds kWritersPatience(0.02);

class DuckDbStore final : public Store {
 public:
  DuckDbStore(Env& env, const DuckDbApi& api, std::string path, double retention_days)
      : env_(env),
        api_(api),
        path_(std::move(path)),
        folder_(path_ + kJournalFolder),
        retention_days_(retention_days) {}

  ~DuckDbStore() override {
    // What cannot be moved now stays in the journal and is moved by whoever opens the store next.
    [[maybe_unused]] const auto ignored = flush();
  }

  /// Creates the file or checks what is there, unless the first use is to do so.
  Result<void> start(bool leave_it_to_first_use) {
    WATTWISE_TRY(check_file());
    if (auto made = env_.create_directories(parent_path(path_)); !made)
      return cannot_write(made.error());
    return leave_it_to_first_use ? Result<void>() : take_in();
  }

  Result<void> add(const Preparation& row) override { return append("preparations", to_row(row)); }
  Result<void> add(const Load& row) override { return append("loads", to_row(row)); }
  Result<void> add(const Inference& row) override { return append("inferences", to_row(row)); }
  Result<void> add(const Event& row) override { return append("events", to_row(row)); }

  Result<void> flush() override { return has_pending() ? take_in() : Result<void>(); }

  Result<std::vector<ModelSummary>> models() override {
    std::vector<ModelSummary> out;
    for (const auto& row : WATTWISE_TRY(read(sql_file("models.sql")))) {
      out.push_back(read_summary(row));
    }
    return out;
  }

  Result<ModelSummary> model(const std::string& path) override {
    std::vector<std::string> known;
    for (ModelSummary& summary : WATTWISE_TRY(models())) {
      const bool original = summary.preparation && summary.preparation->model_path == path;
      if (summary.model_path == path || original) return std::move(summary);
      if (summary.is_deployed()) known.push_back(summary.model_path);
    }
    return Error(ErrorCode::kNotFound, fmt::format("nothing is recorded of the model {}.{}", path,
                                                   known.empty() ? " Prepare or load it first."
                                                                 : suggestion(path, known)));
  }

  Result<std::vector<Preparation>> preparations(int64_t limit) override {
    std::vector<Preparation> out;
    const std::string sql = fmt::format("{} LIMIT {}", sql_file("preparations.sql"), limit);
    for (const auto& row : WATTWISE_TRY(read(sql))) out.push_back(read_preparation(row, 0));
    return out;
  }

  const std::string& path() const override { return path_; }

 private:
  Result<void> append(std::string_view table, const Json& row) {
    {
      const std::lock_guard lock(mutex_);
      pending_ = true;
      if (!journal_) journal_ = WATTWISE_TRY(Journal::create(env_, folder_));
    }
    return journal_->append(table, row);
  }

  /// What a query gives. Others wait meanwhile: records are taken apart afterwards.
  Result<std::vector<std::vector<Cell>>> read(const std::string& sql) {
    std::vector<std::vector<Cell>> rows;
    const auto query = [&](Database& database) -> Result<void> {
      rows = WATTWISE_TRY(database.rows(sql));
      return {};
    };
    WATTWISE_TRY(with_database(query));
    return rows;
  }

  /// Moves all journals into the database, unless others use it now.
  Result<void> take_in() {
    const auto nothing_more = [](Database&) -> Result<void> { return {}; };
    const auto done = with_database(nothing_more, kWritersPatience, 0);
    return busy_ ? Result<void>() : done;
  }

  /// Removes rows that are too old, once.
  Result<void> forget(Database& database) {
    if (!std::isfinite(retention_days_) || forgotten_) return {};
    const double limit = env_.wall_now().count() - retention_days_ * 86400;
    for (const auto& [table, time] : {std::pair("inferences", "finished_at"),
                                      {"loads", "loaded_at"},
                                      {"events", "happened_at"},
                                      {"preparations", "finished_at"}}) {
      WATTWISE_TRY(database.run(fmt::format("DELETE FROM {} WHERE {} < {}", table, time, limit)));
    }
    return {};
  }

  /// Another copy of DuckDB in this process that has the file open would lose its lock when ours
  /// closes it, and the file would be damaged.
  Result<void> check_not_open_here() const {
    const auto target = env_.canonical_path(path_);
    const auto descriptors = env_.list_directory("/proc/self/fd");
    if (!target || !descriptors) return {};
    for (const std::string& descriptor : *descriptors) {
      const auto file = env_.canonical_path("/proc/self/fd/" + descriptor);
      if (file && *file == *target) {
        return Error(ErrorCode::kUnavailable,
                     fmt::format("this process holds the database {} open by other means; close "
                                 "that first (new records wait in the journal)",
                                 path_));
      }
    }
    return {};
  }

  /// A file that DuckDB did not write gets no lock beside it: there is nothing to share.
  Result<void> check_file() const {
    constexpr size_t kMagicOffset = 8;
    const auto info = env_.stat(path_);
    if (!info) return {};
    if (!info->is_regular) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("the database {} is {}; name a file with --db-path", path_,
                               info->is_directory ? "a folder" : "a device, pipe or socket"));
    }
    if (info->size_bytes == 0) return {};
    auto content = env_.map_file(path_);
    if (!content) return cannot_write(std::move(content).error());
    const std::string_view text = content->as_text();
    if (text.substr(std::min(kMagicOffset, text.size())).starts_with("DUCK")) return {};
    return Error(ErrorCode::kCorrupt,
                 fmt::format("{} is no database of DuckDB; name another with --db-path", path_));
  }

  Error cannot_write(const Error& why) const {
    return {why.code() == ErrorCode::kExhausted ? why.code() : ErrorCode::kIo,
            fmt::format("the database {} cannot be used: {}; name a place that can be written to "
                        "with --db-path or WATTWISE_DB",
                        path_, why.message())};
  }

  /// A database of another program is not ours to add tables to.
  Result<void> check_unclaimed(Database& database) const {
    const auto tables = WATTWISE_TRY(database.rows(
        "SELECT table_name FROM information_schema.tables WHERE table_catalog = 'wattwise'"));
    if (tables.empty()) return {};
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the database {} belongs to another program (it has the table {}); "
                             "name another with --db-path",
                             path_, text(tables[0][0])));
  }

  Result<void> migrate(Database& database) const {
    int version = 0;
    if (const auto rows = database.rows("SELECT max(version) FROM schema_version")) {
      version = static_cast<int>(number((*rows)[0][0]));
    } else {
      WATTWISE_TRY(check_unclaimed(database));
    }
    if (version > kSchemaVersion) {
      return Error(ErrorCode::kUnsupported,
                   fmt::format("the database {} has version {}, this program knows {}; use a newer "
                               "WattWise or another --db-path",
                               path_, version, kSchemaVersion));
    }
    for (int next = version + 1; next <= kSchemaVersion; ++next) {
      WATTWISE_TRY(database.run(fmt::format("BEGIN TRANSACTION; {} COMMIT",
                                            sql_file(fmt::format("migration_{}.sql", next)))));
    }
    return {};
  }

  /// A journal whose process is gone, locked until it is removed.
  struct DeadJournal {
    std::string name;
    std::unique_ptr<FileLock> lock;
    Seconds written;  ///< last, by wall_now()
  };

  /// How far each journal has been read.
  static Result<std::map<std::string, size_t>> read_offsets(Database& database) {
    std::map<std::string, size_t> out;
    for (const auto& row :
         WATTWISE_TRY(database.rows("SELECT journal, consumed_bytes FROM journal_offsets"))) {
      out.emplace(text(row[0]), static_cast<size_t>(number(row[1])));
    }
    return out;
  }

  /// Reads one journal's new lines, and locks it if its process is gone.
  Result<JournalPart> read_new(const std::string& name, size_t offset) {
    const std::string path = join_path(folder_, name);
    // The owner's lock is tried before reading: if it is free, nothing more can follow.
    auto lock = env_.lock_file(path, Seconds(0));
    JournalPart part = WATTWISE_TRY(read_journal(env_, path, offset));
    const auto info = env_.stat(path);
    const Seconds written(info ? static_cast<double>(info->modified_ns) * 1e-9 : 0);
    if (lock) dead_.push_back({name, std::move(*lock), written});
    return part;
  }

  /// Moves the journals' new lines into the tables, in few statements: others wait meanwhile.
  Result<void> drain_all(Database& database) {
    moved_ = 0;
    const auto names = env_.list_directory(folder_);
    if (!names) return {};  // no journal has been written yet
    auto offsets = WATTWISE_TRY(read_offsets(database));
    std::vector<Json> records;
    std::vector<std::string> moved;
    for (const std::string& name : *names) {
      if (!name.ends_with(kJournalExtension)) continue;
      const auto known = offsets.extract(name);
      const size_t offset = known ? known.mapped() : 0;
      JournalPart part = WATTWISE_TRY(read_new(name, offset));
      std::move(part.records.begin(), part.records.end(), std::back_inserter(records));
      if (part.end != offset) moved.push_back(fmt::format("({}, {})", sql_literal(name), part.end));
    }
    moved_ = records.size();
    WATTWISE_TRY(insert_records(database, records));
    if (!moved.empty()) {
      WATTWISE_TRY(
          database.run("INSERT OR REPLACE INTO journal_offsets VALUES " + join(moved, ", ")));
    }
    return forget_removed(database, offsets);
  }

  /// Offsets of journals that the last to drain them has removed.
  static Result<void> forget_removed(Database& database,
                                     const std::map<std::string, size_t>& removed) {
    if (removed.empty()) return {};
    std::vector<std::string> names;
    names.reserve(removed.size());
    for (const auto& [name, offset] : removed) names.push_back(sql_literal(name));
    return database.run(
        fmt::format("DELETE FROM journal_offsets WHERE journal IN ({})", join(names, ", ")));
  }

  /// After the rows are committed; until then the journal is the only safe copy.
  Result<void> remove_dead() {
    for (const DeadJournal& journal : dead_) {
      WATTWISE_TRY(env_.remove(join_path(folder_, journal.name)));
    }
    dead_.clear();
    return {};
  }

  /// DuckDB opens a file whose end is missing and fails, or overwrites, when it gets there. A whole
  /// one has three headers and then blocks, at least those that are in use.
  Result<void> check_whole(Database& database) const {
    constexpr uint64_t kHeaderBytes = uint64_t{3} * 4096;
    const auto sizes = WATTWISE_TRY(database.rows(
        "SELECT block_size, used_blocks FROM pragma_database_size() WHERE database_name = "
        "'wattwise'"));
    const auto info = env_.stat(path_);
    if (sizes.empty() || !info || info->size_bytes < kHeaderBytes) return {};
    const auto block = static_cast<uint64_t>(number(sizes[0][0]));
    const auto used = static_cast<uint64_t>(number(sizes[0][1]));
    const uint64_t there = info->size_bytes - kHeaderBytes;
    if (block == 0 || (there % block == 0 && there >= used * block)) return {};
    return Error(ErrorCode::kCorrupt,
                 fmt::format("the database {} is cut off at {} bytes; restore it or name another "
                             "with --db-path",
                             path_, info->size_bytes));
  }

  bool has_pending() {
    const std::lock_guard guard(mutex_);
    return pending_;
  }

  /// Ends the transaction; the rows it moved stay where they are if they are too few.
  Result<void> settle(Database& database, size_t worth_moving) {
    const bool abandoned = std::any_of(dead_.begin(), dead_.end(), [&](const DeadJournal& journal) {
      return env_.wall_now() - journal.written > kAbandoned;
    });
    if (!abandoned && moved_ < worth_moving) return database.run("ROLLBACK");
    WATTWISE_TRY(database.run("COMMIT"));
    pending_ = false;
    forgotten_ = true;
    return remove_dead();
  }

  /// Attaches the file under the lock, migrates, drains, works, and detaches it again.
  template <typename Work>
  Result<void> with_database(const Work& work, Seconds patience = kReadersPatience,
                             size_t worth_moving = kRowsWorthMoving) {
    const std::lock_guard guard(mutex_);
    if (!database_) database_.emplace(WATTWISE_TRY(Database::start(api_)));
    auto lock = env_.lock_file(path_ + ".lock", patience);
    busy_ = !lock && lock.error().code() == ErrorCode::kUnavailable;
    if (!lock && !busy_) return cannot_write(lock.error());
    if (!lock) return std::move(lock).error().with_context("waiting for the database");
    WATTWISE_TRY(check_not_open_here());
    const auto done = [&]() -> Result<void> {
      WATTWISE_TRY(database_->attach(path_));
      WATTWISE_TRY(check_whole(*database_));
      WATTWISE_TRY(migrate(*database_));
      WATTWISE_TRY(database_->run("BEGIN TRANSACTION"));
      WATTWISE_TRY(drain_all(*database_));
      WATTWISE_TRY(forget(*database_));
      WATTWISE_TRY(work(*database_));
      return settle(*database_, worth_moving);
    }();
    dead_.clear();
    const auto closed = database_->detach();
    if (!done || !closed) database_.reset();  // closes the file whatever has happened
    return done ? closed : done;
  }

  Env& env_;
  const DuckDbApi& api_;
  std::string path_;
  std::string folder_;
  double retention_days_;
  std::mutex mutex_;  // guards what follows, and keeps one database open at a time
  std::unique_ptr<Journal> journal_;
  std::optional<Database> database_;
  bool forgotten_ = false;  // rows that were too old at the first use are gone
  bool busy_ = false;       // the last try found the database in use by others
  bool pending_ = false;    // the journal holds records that the database may lack
  size_t moved_ = 0;        // records that the current transaction took from journals
  std::vector<DeadJournal> dead_;
};

}  // namespace

Result<bool> store_exists(const Env& env, const StoreOptions& options) {
  const std::string path = WATTWISE_TRY(store_path(env, options));
  return env.stat(path).has_value() || env.stat(path + kJournalFolder).has_value();
}

Result<std::unique_ptr<Store>> open_store(Env& env, const StoreOptions& options) {
  const std::string path = WATTWISE_TRY(store_path(env, options));
  const DuckDbApi* api = WATTWISE_TRY(load_duckdb(env, options.duckdb_library));
  auto store = std::make_unique<DuckDbStore>(env, *api, path, options.retention_days);
  WATTWISE_TRY(store->start(options.used_at_once));
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace wattwise::store
