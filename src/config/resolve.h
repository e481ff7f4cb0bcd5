// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/tables.h"
#include "core/json.h"
#include "wattwise/config.h"

namespace wattwise::config {

/// A patch with the name of the layer it is shown under: a file's path, "flags", "update_config".
struct Layer {
  std::string name;
  Json patch;
};

/// The folded layers and the typed result. `origin` maps each dotted key to its layer's name.
struct Resolved {
  Config config;
  Json document;  ///< every key with its value, by section, as update_config() returns it
  std::map<std::string, std::string> origin;
  std::vector<Layer> user_layers;  ///< what update() adds to
};

/// defaults <- profile <- target <- `user` layers, folded first, parsed once. Profile and target
/// ids in any case. CUSTOM as profile starts from BALANCED; CUSTOM as target needs `target_folder`.
/// kInvalidArgument or kNotFound names the offending key or id, its layer and the nearest name.
Result<Resolved> resolve(const Tables& tables, std::string_view profile, std::string_view target,
                         std::vector<Layer> user);

/// `resolved` with one more user layer; the profile then reads CUSTOM with the old one as base.
/// On error nothing has changed.
Result<Resolved> update(const Tables& tables, const Resolved& resolved, Layer layer);

}  // namespace wattwise::config
