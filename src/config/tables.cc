// SPDX-License-Identifier: Apache-2.0
#include "config/tables.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/embedded.h"
#include "core/text.h"

namespace wattwise::config {
namespace {

using Files = std::map<std::string, std::string>;

/// Adds the files below `folder`/`name`; they replace embedded ones of the same name.
Result<void> overlay(const Env& env, const std::string& folder, const std::string& name,
                     Files& files) {
  const std::string path = name.empty() ? folder : join_path(folder, name);
  for (const std::string& entry : WATTWISE_TRY(env.list_directory(path))) {
    const std::string inner = name.empty() ? entry : name + "/" + entry;
    const auto info = env.stat(join_path(folder, inner));
    if (!info) continue;
    if (info->is_directory) {
      WATTWISE_TRY(overlay(env, folder, inner, files));
    } else {
      files[inner] = WATTWISE_TRY(env.read_file(join_path(folder, inner)));
    }
  }
  return {};
}

Error damaged(const std::string& file, const std::string& what) {
  return {ErrorCode::kCorrupt, fmt::format("the data file {} {}", file, what)};
}

/// A table file must be a map whose `id` is the one its name says.
Result<Json> parse_row(const std::string& file, const std::string& text, const std::string& id) {
  Json json = WATTWISE_TRY(parse_json(text, file));
  if (!json.is_object()) return damaged(file, "is no JSON object");
  const auto it = json.find("id");
  if (it == json.end() || !it->is_string()) return damaged(file, "has no \"id\"");
  if (!equals_ignoring_case(it->get<std::string>(), id)) {
    return damaged(
        file, fmt::format("has the id \"{}\", its name says \"{}\"", it->get<std::string>(), id));
  }
  return json;
}

Result<void> add_file(const std::string& name, const std::string& text, Tables& tables) {
  const auto parts = split(name, '/');
  if (name == "defaults.json") {
    tables.defaults = WATTWISE_TRY(parse_json(text, name));
  } else if (name == "metrics.json") {
    tables.metrics = WATTWISE_TRY(parse_json(text, name));
  } else if (parts.size() == 2 && parts[0] == "profiles") {
    const std::string id = to_upper(file_stem(parts[1]));
    tables.profiles[id] = WATTWISE_TRY(parse_row(name, text, id));
  } else if (parts.size() == 2 && parts[0] == "devices") {
    const std::string id = file_stem(parts[1]);
    tables.devices[id] = WATTWISE_TRY(parse_row(name, text, id));
  } else if (parts.size() == 2 && parts[0] == "providers") {
    const std::string id = file_stem(parts[1]);
    tables.providers[id] = WATTWISE_TRY(parse_row(name, text, id));
  } else if (parts.size() == 3 && parts[0] == "targets") {
    const std::string id = to_upper(parts[1]);
    if (parts[2] == "target.json") {
      tables.targets[id] = WATTWISE_TRY(parse_row(name, text, id));
    } else {
      tables.templates[id][parts[2]] = text;
    }
  }
  return {};
}

std::vector<std::string> ids_with_custom(const std::map<std::string, Json>& rows) {
  std::vector<std::string> ids;
  for (const auto& [id, row] : rows) ids.push_back(id);
  ids.emplace_back("CUSTOM");
  return ids;
}

}  // namespace

std::vector<std::string> Tables::profile_ids() const { return ids_with_custom(profiles); }
std::vector<std::string> Tables::target_ids() const { return ids_with_custom(targets); }

Result<Tables> load_tables(const Env& env, const std::string& user_folder) {
  Files files;
  for (const EmbeddedFile& file : embedded_files()) {
    files.emplace(file.name, file.content);
  }
  if (!user_folder.empty()) {
    if (auto read = overlay(env, user_folder, "", files); !read) {
      return std::move(read).error().with_context("reading the data folder");
    }
  }
  Tables tables;
  for (const auto& [name, text] : files) WATTWISE_TRY(add_file(name, text, tables));
  return tables;
}

}  // namespace wattwise::config
