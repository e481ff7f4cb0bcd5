// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/json.h"
#include "store/duckdb.h"
#include "store/store.h"

namespace wattwise::store {

// Rows as journal records; keys are the columns' names.
Json to_row(const Preparation& row);
Json to_row(const Load& row);
Json to_row(const Inference& row);
Json to_row(const Event& row);

/// Inserts journal records into their tables. A record of an unknown table is skipped: a newer
/// version wrote it, and its migration will know it.
Result<void> insert_records(Database& database, const std::vector<Json>& records);

/// The number in a cell, 0 for NULL.
double number(const Cell& cell);
/// The text in a cell, "" for NULL.
std::string text(const Cell& cell);

/// The preparation whose columns, in the order of its table, start at `at`.
Preparation read_preparation(const std::vector<Cell>& row, size_t at);

/// A row of models.sql.
ModelSummary read_summary(const std::vector<Cell>& row);

}  // namespace wattwise::store
