// SPDX-License-Identifier: Apache-2.0
#include "store/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace wattwise::store {
namespace {

enum class Kind { kText, kNumber, kInteger };

struct Column {
  std::string_view name;
  Kind kind;
};

struct Table {
  std::string_view name;
  std::span<const Column> columns;  ///< in the order of the schema
};

constexpr std::array kPreparations = {Column{"model_path", Kind::kText},
                                      Column{"output_path", Kind::kText},
                                      Column{"deployment_target", Kind::kText},
                                      Column{"power_profile", Kind::kText},
                                      Column{"status", Kind::kText},
                                      Column{"error", Kind::kText},
                                      Column{"finished_at", Kind::kNumber},
                                      Column{"record", Kind::kText}};
constexpr std::array kLoads = {Column{"model_path", Kind::kText}, Column{"model_type", Kind::kText},
                               Column{"execution_provider", Kind::kText},
                               Column{"loading_time_seconds", Kind::kNumber},
                               Column{"loaded_at", Kind::kNumber}};
constexpr std::array kInferences = {Column{"model_path", Kind::kText},
                                    Column{"finished_at", Kind::kNumber},
                                    Column{"inference_time_seconds", Kind::kNumber},
                                    Column{"batch_size", Kind::kInteger},
                                    Column{"throttling_level", Kind::kInteger},
                                    Column{"energy_mj", Kind::kNumber},
                                    Column{"energy_origin", Kind::kText}};
constexpr std::array kEvents = {Column{"happened_at", Kind::kNumber}, Column{"kind", Kind::kText},
                                Column{"subject", Kind::kText}, Column{"detail", Kind::kText}};

constexpr std::array kTables = {Table{"preparations", kPreparations}, Table{"loads", kLoads},
                                Table{"inferences", kInferences}, Table{"events", kEvents}};

/// An appender for one table; destroyed (and so flushed) at the end of its scope.
class Appender {
 public:
  Appender(const Database& database, std::string_view table) : api_(database.api()) {
    ok_ = api_.appender_create(database.connection(), nullptr, std::string(table).c_str(),
                               &appender_) == DuckDBSuccess;
  }
  Appender(const Appender&) = delete;
  Appender& operator=(const Appender&) = delete;
  ~Appender() {
    if (appender_) api_.appender_destroy(&appender_);
  }

  void append(const Table& table, const Json& row) {
    for (const Column& column : table.columns) {
      const auto it = row.find(std::string(column.name));
      const Json value = it == row.end() ? Json(nullptr) : *it;
      ok_ = ok_ && append_value(column.kind, value) == DuckDBSuccess;
    }
    ok_ = ok_ && api_.appender_end_row(appender_) == DuckDBSuccess;
  }

  Result<void> finish() {
    std::string why;
    if (const char* message = ok_ ? nullptr : api_.appender_error(appender_)) why = message;
    const bool closed = api_.appender_destroy(&appender_) == DuckDBSuccess;
    appender_ = nullptr;
    if (ok_ && closed) return {};
    return Error(ErrorCode::kIo, fmt::format("the database refused rows: {}", why));
  }

 private:
  duckdb_state append_value(Kind kind, const Json& value) {
    if (value.is_null()) return api_.append_null(appender_);
    if (kind == Kind::kNumber && value.is_number()) {
      return api_.append_double(appender_, value.get<double>());
    }
    if (kind == Kind::kInteger && value.is_number()) {
      return api_.append_int64(appender_, value.get<int64_t>());
    }
    const std::string text = value.is_string() ? value.get<std::string>() : write_json(value);
    return api_.append_varchar_length(appender_, text.data(), text.size());
  }

  const DuckDbApi& api_;
  duckdb_appender appender_ = nullptr;
  bool ok_ = false;
};

std::optional<double> optional_number(const Cell& cell) {
  return cell ? std::optional(number(cell)) : std::nullopt;
}

}  // namespace

Json to_row(const Preparation& row) {
  return {{"model_path", row.model_path},
          {"output_path", row.output_path},
          {"deployment_target", row.deployment_target},
          {"power_profile", row.power_profile},
          {"status", row.status},
          {"error", row.error},
          {"finished_at", row.finished_at},
          {"record", write_json(row.record)}};
}

Json to_row(const Load& row) {
  return {{"model_path", row.model_path},
          {"model_type", row.model_type},
          {"execution_provider", row.execution_provider},
          {"loading_time_seconds", row.loading_time_seconds},
          {"loaded_at", row.loaded_at}};
}

Json to_row(const Inference& row) {
  return {{"model_path", row.model_path},
          {"finished_at", row.finished_at},
          {"inference_time_seconds", row.inference_time_seconds},
          {"batch_size", row.batch_size},
          {"throttling_level", row.throttling_level},
          {"energy_mj", row.energy_mj ? Json(*row.energy_mj) : Json(nullptr)},
          {"energy_origin", row.energy_origin}};
}

Json to_row(const Event& row) {
  return {{"happened_at", row.happened_at},
          {"kind", row.kind},
          {"subject", row.subject},
          {"detail", write_json(row.detail)}};
}

Result<void> insert_records(Database& database, const std::vector<Json>& records) {
  for (const Table& table : kTables) {
    const auto is_of_table = [&](const Json& record) {
      return record.is_object() && record.value("table", "") == table.name &&
             record.contains("row");
    };
    if (std::none_of(records.begin(), records.end(), is_of_table)) continue;
    Appender appender(database, table.name);
    for (const Json& record : records) {
      if (is_of_table(record)) appender.append(table, record["row"]);
    }
    WATTWISE_TRY(appender.finish());
  }
  return {};
}

double number(const Cell& cell) { return cell ? std::strtod(cell->c_str(), nullptr) : 0; }

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

}  // namespace wattwise::store
