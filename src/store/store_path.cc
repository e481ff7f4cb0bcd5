// SPDX-License-Identifier: Apache-2.0
#include "store/store_path.h"

#include <fmt/format.h>

#include "core/text.h"

namespace wattwise::store {
namespace {

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

}  // namespace

Result<std::string> store_path(const Env& env, const StoreOptions& options) {
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

}  // namespace wattwise::store
