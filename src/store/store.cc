// SPDX-License-Identifier: Apache-2.0
#include "store/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "core/text.h"
#include "store/journal.h"
#include "store/sql.h"
#include "store/tables.h"

namespace wattwise::store {
namespace {

constexpr int kSchemaVersion = 1;
constexpr const char* kJournalFolder = ".journal";
/// A reader waits this long for the others' short transactions.
constexpr Seconds kPatience(20);
/// What a writer has journalled is safe already: when others are busy with the database, the next
/// one of them takes it in, and readers wait for fewer.
constexpr Seconds kWritersPatience(0.02);

double number(const Cell& cell) { return cell ? std::strtod(cell->c_str(), nullptr) : 0; }
std::optional<double> optional_number(const Cell& cell) {
  return cell ? std::optional(number(cell)) : std::nullopt;
}
std::string text(const Cell& cell) { return cell.value_or(""); }

Preparation read_preparation(const std::vector<Cell>& row, size_t at) {
  Preparation preparation{
      text(row[at]),     text(row[at + 1]), text(row[at + 2]),   text(row[at + 3]),
      text(row[at + 4]), text(row[at + 5]), number(row[at + 6]), nullptr};
  if (auto record = parse_json(text(row[at + 7]), "a preparation record")) {
    preparation.record = std::move(*record);
  }
  return preparation;
}

/// Columns as in models.sql.
ModelSummary read_summary(const std::vector<Cell>& row) {
  ModelSummary summary;
  summary.model_path = text(row[0]);
  summary.inference_count = static_cast<int64_t>(number(row[1]));
  summary.total_inference_time_seconds = number(row[2]);
  summary.average_ms = optional_number(row[3]);
  summary.p50_ms = optional_number(row[4]);
  summary.p99_ms = optional_number(row[5]);
  summary.last_used_at = optional_number(row[6]);
  if (row[7]) summary.preparation = read_preparation(row, 7);
  if (row[15]) {
    summary.last_load =
        Load{text(row[15]), text(row[16]), text(row[17]), number(row[18]), number(row[19])};
  }
  return summary;
}

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
    auto read = with_database([&](Database& database) -> Result<void> {
      for (const auto& row : WATTWISE_TRY(database.rows(sql_file("models.sql")))) {
        out.push_back(read_summary(row));
      }
      return {};
    });
    if (!read) return std::move(read).error();
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
    auto read = with_database([&](Database& database) -> Result<void> {
      const std::string sql = fmt::format("{} LIMIT {}", sql_file("preparations.sql"), limit);
      for (const auto& row : WATTWISE_TRY(database.rows(sql))) {
        out.push_back(read_preparation(row, 0));
      }
      return {};
    });
    if (!read) return std::move(read).error();
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

  /// Moves all journals into the database, unless others use it now.
  Result<void> take_in() {
    const auto done = with_database([](Database&) -> Result<void> { return {}; }, kWritersPatience);
    return busy_ ? Result<void>() : done;
  }

  /// Removes rows that are too old, once.
  Result<void> forget(Database& database) {
    if (!std::isfinite(retention_days_) || forgotten_) return {};
    forgotten_ = true;
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
    const auto tables = WATTWISE_TRY(
        database.rows("SELECT 1 FROM duckdb_tables() WHERE table_name = 'schema_version'"));
    int version = 0;
    if (tables.empty()) {
      WATTWISE_TRY(check_unclaimed(database));
    } else {
      const auto rows = WATTWISE_TRY(database.rows("SELECT max(version) FROM schema_version"));
      version = static_cast<int>(number(rows[0][0]));
    }
    if (version > kSchemaVersion) {
      return Error(ErrorCode::kUnsupported,
                   fmt::format("the database {} has version {}, this program knows {}; use a newer "
                               "WattWise or another --db-path",
                               path_, version, kSchemaVersion));
    }
    for (int next = version + 1; next <= kSchemaVersion; ++next) {
      WATTWISE_TRY(database.run(sql_file(fmt::format("migration_{}.sql", next))));
    }
    return {};
  }

  /// A journal whose process is gone, locked until it is removed.
  struct DeadJournal {
    std::string name;
    std::unique_ptr<FileLock> lock;
  };

  /// Moves one journal's new lines into the tables.
  Result<void> drain(Database& database, const std::string& name) {
    const std::string path = join_path(folder_, name);
    const auto known = WATTWISE_TRY(database.rows(fmt::format(
        "SELECT consumed_bytes FROM journal_offsets WHERE journal = {}", sql_literal(name))));
    const auto offset = known.empty() ? 0 : static_cast<size_t>(number(known[0][0]));
    // The owner's lock is tried before reading: if it is free, nothing more can follow.
    auto lock = env_.lock_file(path, Seconds(0));
    const JournalPart part = WATTWISE_TRY(read_journal(env_, path, offset));
    WATTWISE_TRY(insert_records(database, part.records));
    WATTWISE_TRY(database.run(fmt::format("INSERT OR REPLACE INTO journal_offsets VALUES ({}, {})",
                                          sql_literal(name), part.end)));
    if (lock) dead_.push_back({name, std::move(*lock)});
    return {};
  }

  /// Offsets of journals that the last to drain them has removed.
  static Result<void> forget_removed(Database& database, const std::vector<std::string>& names) {
    for (const auto& row : WATTWISE_TRY(database.rows("SELECT journal FROM journal_offsets"))) {
      const std::string journal = text(row[0]);
      if (std::find(names.begin(), names.end(), journal) != names.end()) continue;
      WATTWISE_TRY(
          database.run("DELETE FROM journal_offsets WHERE journal = " + sql_literal(journal)));
    }
    return {};
  }

  Result<void> drain_all(Database& database) {
    const auto names = env_.list_directory(folder_);
    if (!names) return {};  // no journal has been written yet
    WATTWISE_TRY(forget_removed(database, *names));
    for (const std::string& name : *names) {
      if (name.ends_with(kJournalExtension)) WATTWISE_TRY(drain(database, name));
    }
    return {};
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

  /// Attaches the file under the lock, migrates, drains, works, and detaches it again.
  template <typename Work>
  Result<void> with_database(const Work& work, Seconds patience = kPatience) {
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
      WATTWISE_TRY(database_->run("BEGIN TRANSACTION"));
      WATTWISE_TRY(migrate(*database_));
      WATTWISE_TRY(drain_all(*database_));
      WATTWISE_TRY(forget(*database_));
      WATTWISE_TRY(work(*database_));
      WATTWISE_TRY(database_->run("COMMIT"));
      return remove_dead();
    }();
    dead_.clear();
    const auto closed = database_->detach();
    if (done && closed) pending_ = false;
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
  std::vector<DeadJournal> dead_;
};

Result<std::string> default_path(const Env& env) {
  if (auto path = env.variable("WATTWISE_DB"); path && !path->empty()) return *path;
  if (auto data = env.variable("XDG_DATA_HOME"); data && !data->empty()) {
    return join_path(*data, "wattwise/wattwise.duckdb");
  }
  if (auto home = env.variable("HOME"); home && !home->empty()) {
    return join_path(*home, ".local/share/wattwise/wattwise.duckdb");
  }
  return Error(ErrorCode::kInvalidArgument,
               "there is no place for the database: set HOME or WATTWISE_DB, or pass --db-path");
}

/// The database's path; a file cannot have one below it.
Result<std::string> path_of(const Env& env, const StoreOptions& options) {
  std::string path = options.path.empty() ? WATTWISE_TRY(default_path(env)) : options.path;
  std::string above = parent_path(path);
  while (!env.stat(above) && above != "/" && above != ".") above = parent_path(above);
  const auto there = env.stat(above);
  if (!there || there->is_directory) return path;
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("the database {} cannot lie below {}, which is no folder; name another "
                           "place with --db-path",
                           path, above));
}

}  // namespace

Result<bool> store_exists(const Env& env, const StoreOptions& options) {
  const std::string path = WATTWISE_TRY(path_of(env, options));
  return env.stat(path).has_value() || env.stat(path + kJournalFolder).has_value();
}

Result<std::unique_ptr<Store>> open_store(Env& env, const StoreOptions& options) {
  const std::string path = WATTWISE_TRY(path_of(env, options));
  const DuckDbApi* api = WATTWISE_TRY(load_duckdb(env, options.duckdb_library));
  auto store = std::make_unique<DuckDbStore>(env, *api, path, options.retention_days);
  WATTWISE_TRY(store->start(options.reads_at_once));
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace wattwise::store
