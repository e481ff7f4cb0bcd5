// SPDX-License-Identifier: Apache-2.0
#include "config/resolve.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/bindings.h"
#include "core/text.h"

namespace wattwise::config {
namespace {

constexpr std::string_view kCustom = "CUSTOM";
constexpr std::string_view kCustomBase = "BALANCED";

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

Error refuse(const std::string& key, const std::string& layer, const std::string& what) {
  return {ErrorCode::kInvalidArgument,
          fmt::format("the setting {} (from {}) {}", key, layer, what)};
}

/// Every dotted key, for suggestions across sections.
std::vector<std::string> all_keys(const Json& defaults) {
  std::vector<std::string> keys;
  for (const auto& [section, rows] : defaults.items()) {
    for (const auto& [key, row] : rows.items()) keys.push_back(section + "." + key);
  }
  return keys;
}

bool has_type(const Json& value, const std::string& type) {
  if (type == "bool") return value.is_boolean();
  if (type == "int") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "list") {
    return value.is_array() && std::all_of(value.begin(), value.end(),
                                           [](const Json& item) { return item.is_string(); });
  }
  return value.is_string();
}

std::string describe_type(const Json& row) {
  const auto type = row["type"].get<std::string>();
  std::string text = type == "choice"   ? fmt::format("one of {}", write_json(row["choices"]))
                     : type == "list"   ? "a list of names"
                     : type == "int"    ? "a whole number"
                     : type == "bool"   ? "true or false"
                     : type == "number" ? "a number"
                                        : "a text";
  if (row.contains("minimum")) text += fmt::format(" of at least {}", write_json(row["minimum"]));
  if (row.contains("maximum")) text += fmt::format(" and at most {}", write_json(row["maximum"]));
  return text + (row.value("nullable", false) ? ", or null" : "");
}

/// Checks one value against its row; choices are accepted in any case and stored as listed.
Result<Json> check_value(const std::string& key, const Json& row, const Json& value,
                         const std::string& layer) {
  if (value.is_null() && row.value("nullable", false)) return value;
  const auto type = row["type"].get<std::string>();
  const auto wrong = [&] {
    return refuse(key, layer,
                  fmt::format("must be {}, it is {}", describe_type(row), write_json(value)));
  };
  if (!has_type(value, type)) return wrong();
  if (value.is_number()) {
    const auto number = value.get<double>();
    if (row.contains("minimum") && number < row["minimum"].get<double>()) return wrong();
    if (row.contains("maximum") && number > row["maximum"].get<double>()) return wrong();
  }
  if (type != "choice") return value;
  std::vector<std::string> choices;
  for (const Json& choice : row["choices"]) choices.push_back(choice.get<std::string>());
  for (const std::string& choice : choices) {
    if (equals_ignoring_case(choice, value.get<std::string>())) return Json(choice);
  }
  return refuse(key, layer,
                fmt::format("cannot be \"{}\".{}", value.get<std::string>(),
                            suggestion(value.get<std::string>(), choices)));
}

/// Folds one patch into the document after checking every key of it.
Result<void> fold(const Json& defaults, const Layer& layer, Resolved& resolved) {
  if (!layer.patch.is_object()) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} must be a JSON object of sections", layer.name));
  }
  const auto sections = keys_of(defaults);
  for (const auto& [section, values] : layer.patch.items()) {
    if (!defaults.contains(section)) {
      return refuse(section, layer.name,
                    fmt::format("is no section.{}", suggestion(section, sections)));
    }
    if (!values.is_object()) return refuse(section, layer.name, "must be an object of settings");
    for (const auto& [key, value] : values.items()) {
      const std::string dotted = section + "." + key;
      if (!defaults[section].contains(key)) {
        return refuse(dotted, layer.name,
                      fmt::format("does not exist.{}", suggestion(dotted, all_keys(defaults))));
      }
      resolved.document[section][key] =
          WATTWISE_TRY(check_value(dotted, defaults[section][key], value, layer.name));
      resolved.origin[dotted] = layer.name;
    }
  }
  return {};
}

Config parse(const Json& document) {
  Config config;
  for (const Binding& binding : bindings()) {
    const std::string section(binding.section);
    const std::string key(binding.key);
    binding.assign(config, document.at(section).at(key));
  }
  return config;
}

/// The id as the table spells it.
Result<std::string> find_id(std::string_view word, const std::vector<std::string>& ids,
                            std::string_view kind) {
  for (const std::string& id : ids) {
    if (equals_ignoring_case(id, word)) return id;
  }
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("the {} \"{}\" is unknown.{}", kind, word, suggestion(word, ids)));
}

Json patch_of(const Json& row) { return row.value("config", Json::object()); }

void set_identity(Resolved& resolved) {
  resolved.document["power_profile"] = resolved.config.power_profile;
  resolved.document["base_profile"] = resolved.config.base_profile;
  resolved.document["deployment_target"] = resolved.config.deployment_target;
}

}  // namespace

Result<Resolved> resolve(const Tables& tables, std::string_view profile, std::string_view target,
                         std::vector<Layer> user) {
  const std::string profile_id =
      WATTWISE_TRY(find_id(profile, tables.profile_ids(), "power profile"));
  const std::string target_id =
      WATTWISE_TRY(find_id(target, tables.target_ids(), "deployment target"));
  if (!tables.targets.contains(target_id)) {
    return Error(ErrorCode::kInvalidArgument,
                 "the target CUSTOM needs a folder with its own table: put it into "
                 "targets/custom/target.json of a data folder and name that folder");
  }
  const bool custom = profile_id == kCustom && !tables.profiles.contains(profile_id);
  const std::string base(custom ? kCustomBase : profile_id);
  Resolved resolved;
  for (const auto& [section, rows] : tables.defaults.items()) {
    for (const auto& [key, row] : rows.items()) {
      resolved.document[section][key] = row["value"];
      resolved.origin[section + "." + key] = "defaults";
    }
  }
  const Layer profile_layer{"profile " + base, patch_of(tables.profiles.at(base))};
  const Layer target_layer{"target " + target_id, patch_of(tables.targets.at(target_id))};
  WATTWISE_TRY(fold(tables.defaults, profile_layer, resolved));
  WATTWISE_TRY(fold(tables.defaults, target_layer, resolved));
  for (const Layer& layer : user) WATTWISE_TRY(fold(tables.defaults, layer, resolved));
  resolved.config = parse(resolved.document);
  resolved.config.power_profile = profile_id;
  resolved.config.base_profile = custom ? base : "";
  resolved.config.deployment_target = target_id;
  resolved.user_layers = std::move(user);
  set_identity(resolved);
  return resolved;
}

Result<Resolved> update(const Tables& tables, const Resolved& resolved, Layer layer) {
  Resolved next = resolved;
  WATTWISE_TRY(fold(tables.defaults, layer, next));
  next.config = parse(next.document);
  const bool was_custom = resolved.config.power_profile == kCustom;
  next.config.power_profile = kCustom;
  next.config.base_profile =
      was_custom ? resolved.config.base_profile : resolved.config.power_profile;
  next.config.deployment_target = resolved.config.deployment_target;
  next.user_layers.push_back(std::move(layer));
  set_identity(next);
  return next;
}

}  // namespace wattwise::config
