// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <duckdb.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/env.h"

// Inside store only: DuckDB's C API, loaded at run time.
namespace wattwise::store {

/// The functions that are used of it.
struct DuckDbApi {
  decltype(&::duckdb_open_ext) open_ext = nullptr;
  decltype(&::duckdb_close) close = nullptr;
  decltype(&::duckdb_connect) connect = nullptr;
  decltype(&::duckdb_disconnect) disconnect = nullptr;
  decltype(&::duckdb_free) free = nullptr;
  decltype(&::duckdb_query) query = nullptr;
  decltype(&::duckdb_destroy_result) destroy_result = nullptr;
  decltype(&::duckdb_result_error) result_error = nullptr;
  decltype(&::duckdb_row_count) row_count = nullptr;
  decltype(&::duckdb_column_count) column_count = nullptr;
  decltype(&::duckdb_value_varchar) value_varchar = nullptr;
  decltype(&::duckdb_appender_create) appender_create = nullptr;
  decltype(&::duckdb_appender_destroy) appender_destroy = nullptr;
  decltype(&::duckdb_appender_error) appender_error = nullptr;
  decltype(&::duckdb_appender_end_row) appender_end_row = nullptr;
  decltype(&::duckdb_append_varchar_length) append_varchar_length = nullptr;
  decltype(&::duckdb_append_double) append_double = nullptr;
  decltype(&::duckdb_append_int64) append_int64 = nullptr;
  decltype(&::duckdb_append_null) append_null = nullptr;
};

/// The library: `path`, then $WATTWISE_DUCKDB_LIBRARY, then beside this program or package, then
/// the one this build was configured with, then the system's. Loaded once per process.
Result<const DuckDbApi*> load_duckdb(const Env& env, const std::string& path);

/// A cell of a result as text; absent for NULL.
using Cell = std::optional<std::string>;

/// DuckDB in memory with one connection, to which one file at a time is attached. Starting DuckDB
/// takes longer than attaching a file, so only the latter happens while others wait. Detach soon:
/// no other process can open the file meanwhile.
class Database {
 public:
  static Result<Database> start(const DuckDbApi& api);
  Database(Database&& other) noexcept;
  Database& operator=(Database&&) = delete;
  ~Database();

  /// Attaches (and creates, if missing) the file and makes its tables the ones that statements
  /// mean. kCorrupt for a file that is no database, kUnavailable for one that another program
  /// holds.
  Result<void> attach(const std::string& path);
  /// Closes the file; what was not committed is undone.
  Result<void> detach();

  Result<void> run(const std::string& sql);
  Result<std::vector<std::vector<Cell>>> rows(const std::string& sql);

  const DuckDbApi& api() const { return *api_; }
  duckdb_connection connection() const { return connection_; }

 private:
  explicit Database(const DuckDbApi& api) : api_(&api) {}
  const DuckDbApi* api_;
  duckdb_database database_ = nullptr;
  duckdb_connection connection_ = nullptr;
};

/// `text` as an SQL literal.
std::string sql_literal(std::string_view text);

}  // namespace wattwise::store
