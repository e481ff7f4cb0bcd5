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

}  // namespace wattwise::store
