// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/env.h"
#include "core/json.h"

namespace wattwise::config {

/// The data files, parsed and validated: embedded ones, overlaid file by file with a user folder.
/// Keys of the maps are ids as they are written in the files (profiles and targets upper case).
struct Tables {
  Json defaults;                          ///< data/defaults.json: per key value, type, range, doc
  std::map<std::string, Json> profiles;   ///< data/profiles/<id>.json
  std::map<std::string, Json> targets;    ///< data/targets/<id>/target.json
  std::map<std::string, Json> devices;    ///< data/devices/<id>.json
  std::map<std::string, Json> providers;  ///< data/providers/<id>.json
  Json metrics;                           ///< data/metrics.json
  /// Template files of each target: target id -> relative name -> content.
  std::map<std::string, std::map<std::string, std::string>> templates;

  std::vector<std::string> profile_ids() const;  ///< with CUSTOM
  std::vector<std::string> target_ids() const;   ///< with CUSTOM
};

/// Loads the tables. `user_folder` ("" for none) may hold the same tree; a target folder in it
/// defines a new target. kCorrupt names file, key and what is wrong.
Result<Tables> load_tables(const Env& env, const std::string& user_folder);

}  // namespace wattwise::config
