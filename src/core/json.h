// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "wattwise/result.h"

namespace wattwise {

/// The one JSON type. Keys keep the order in which they were written.
using Json = nlohmann::ordered_json;

/// Parses `text`; an error (kCorrupt) names `source`, the line and the column.
Result<Json> parse_json(std::string_view text, std::string_view source);

/// RFC 7386 merge patch: maps merge deeply, anything else replaces, null removes.
void merge_patch(Json& target, const Json& patch);

/// A value as people read it: null is "not available", a number has four digits, a map is
/// "key value, key value", a list its items.
std::string readable(const Json& value);

}  // namespace wattwise
