// SPDX-License-Identifier: Apache-2.0
#include "store/duckdb.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "core/text.h"
#include "store/sql.h"

namespace wattwise::store {
namespace {

constexpr const char* kLibraryName = "libduckdb.so";

std::string folder_of_this_code() {
  Dl_info info{};
  const auto* here = reinterpret_cast<const void*>(&load_duckdb);
  return ::dladdr(here, &info) != 0 && info.dli_fname ? parent_path(info.dli_fname) : "";
}

std::vector<std::string> candidates(const Env& env, const std::string& path) {
  std::vector<std::string> paths;
  if (!path.empty()) paths.push_back(path);
  if (auto variable = env.variable("WATTWISE_DUCKDB_LIBRARY")) paths.push_back(*variable);
  const std::string here = folder_of_this_code();
  paths.push_back(join_path(here, kLibraryName));
  paths.push_back(join_path(here, std::string("../lib/") + kLibraryName));
#ifdef WATTWISE_DUCKDB_LIBRARY_DEFAULT
  paths.emplace_back(WATTWISE_DUCKDB_LIBRARY_DEFAULT);
#endif
  paths.emplace_back(kLibraryName);
  return paths;
}

template <typename Function>
bool resolve(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  return function != nullptr;
}

bool resolve_all(void* library, DuckDbApi& api) {
  return resolve(library, "duckdb_open_ext", api.open_ext) &&
         resolve(library, "duckdb_close", api.close) &&
         resolve(library, "duckdb_connect", api.connect) &&
         resolve(library, "duckdb_disconnect", api.disconnect) &&
         resolve(library, "duckdb_free", api.free) && resolve(library, "duckdb_query", api.query) &&
         resolve(library, "duckdb_destroy_result", api.destroy_result) &&
         resolve(library, "duckdb_result_error", api.result_error) &&
         resolve(library, "duckdb_row_count", api.row_count) &&
         resolve(library, "duckdb_column_count", api.column_count) &&
         resolve(library, "duckdb_value_varchar", api.value_varchar) &&
         resolve(library, "duckdb_appender_create", api.appender_create) &&
         resolve(library, "duckdb_appender_destroy", api.appender_destroy) &&
         resolve(library, "duckdb_appender_error", api.appender_error) &&
         resolve(library, "duckdb_appender_end_row", api.appender_end_row) &&
         resolve(library, "duckdb_append_varchar_length", api.append_varchar_length) &&
         resolve(library, "duckdb_append_double", api.append_double) &&
         resolve(library, "duckdb_append_int64", api.append_int64) &&
         resolve(library, "duckdb_append_null", api.append_null);
}

/// One line of DuckDB's message, which may have several.
std::string first_line(const char* message) {
  const std::string text = message ? message : "unknown error";
  return text.substr(0, text.find('\n'));
}

}  // namespace

std::string sql_file(std::string_view name) {
  for (const EmbeddedFile& file : embedded_sql()) {
    if (file.name == name) return std::string(file.content);
  }
  return "";
}

std::string sql_literal(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

Result<const DuckDbApi*> load_duckdb(const Env& env, const std::string& path) {
  static std::mutex mutex;
  static DuckDbApi api;
  static bool loaded = false;  // one copy of the library for the process
  const std::lock_guard lock(mutex);
  if (loaded) return &api;
  std::vector<std::string> failures;
  for (const std::string& candidate : candidates(env, path)) {
    // Few of its 24,000 calls between its own functions are ever made: each is bound when it is.
    void* library = ::dlopen(candidate.c_str(), RTLD_LAZY | RTLD_LOCAL);
    if (library && resolve_all(library, api)) {
      loaded = true;
      return &api;
    }
    failures.push_back(library ? candidate + " lacks functions of DuckDB 1.5" : ::dlerror());
  }
  return Error(ErrorCode::kUnavailable,
               fmt::format("DuckDB was not found; set WATTWISE_DUCKDB_LIBRARY to its library. "
                           "Tried: {}",
                           join(failures, "; ")));
}

Result<Database> Database::start(const DuckDbApi& api) {
  Database database(api);
  char* message = nullptr;
  if (api.open_ext(nullptr, &database.database_, nullptr, &message) != DuckDBSuccess) {
    const std::string why = first_line(message);
    api.free(message);
    return Error(ErrorCode::kInternal, "DuckDB cannot start: " + why);
  }
  if (api.connect(database.database_, &database.connection_) != DuckDBSuccess) {
    return Error(ErrorCode::kInternal, "cannot connect to DuckDB");
  }
  // Transactions are short, and a file that is not DuckDB's must not make it fetch an extension.
  // A commit that goes to the file at once needs no write-ahead log beside it, written twice.
  WATTWISE_TRY(
      database.run("SET threads = 1; SET autoinstall_known_extensions = false; "
                   "SET checkpoint_threshold = '0B'"));
  return database;
}

Result<void> Database::attach(const std::string& path) {
  const auto attached =
      run(fmt::format("ATTACH {} AS wattwise (TYPE duckdb); USE wattwise", sql_literal(path)));
  if (attached) return {};
  const std::string& why = attached.error().message();
  if (why.find("Could not set lock") != std::string::npos) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("the database {} is open in another program: {}", path, why));
  }
  const bool denied = why.find("ermission denied") != std::string::npos;
  return Error(denied ? ErrorCode::kIo : ErrorCode::kCorrupt,
               fmt::format("{} is no database that DuckDB can open; move it away or name another "
                           "with --db-path: {}",
                           path, why));
}

Result<void> Database::detach() {
  [[maybe_unused]] const auto undone = run("ROLLBACK");  // refused if nothing is under way
  WATTWISE_TRY(run("USE memory"));
  return run("DETACH DATABASE IF EXISTS wattwise");
}

Database::Database(Database&& other) noexcept
    : api_(other.api_),
      database_(std::exchange(other.database_, nullptr)),
      connection_(std::exchange(other.connection_, nullptr)) {}

Database::~Database() {
  if (connection_) api_->disconnect(&connection_);
  if (database_) api_->close(&database_);
}

Result<std::vector<std::vector<Cell>>> Database::rows(const std::string& sql) {
  duckdb_result result;
  const bool ok = api_->query(connection_, sql.c_str(), &result) == DuckDBSuccess;
  std::vector<std::vector<Cell>> out;
  std::string why;
  if (ok) {
    const auto columns = api_->column_count(&result);
    out.resize(api_->row_count(&result));
    for (size_t row = 0; row < out.size(); ++row) {
      for (size_t column = 0; column < columns; ++column) {
        char* text = api_->value_varchar(&result, column, row);
        out[row].push_back(text ? Cell(text) : std::nullopt);
        api_->free(text);
      }
    }
  } else {
    why = first_line(api_->result_error(&result));
  }
  api_->destroy_result(&result);
  if (ok) return out;
  return Error(ErrorCode::kIo, fmt::format("the database refused a statement: {}", why));
}

Result<void> Database::run(const std::string& sql) {
  WATTWISE_TRY(rows(sql));
  return {};
}

}  // namespace wattwise::store
