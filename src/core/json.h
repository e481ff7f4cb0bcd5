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

/// The same for what a caller wrote as an argument: kInvalidArgument.
Result<Json> parse_json_argument(std::string_view text, std::string_view source);

/// `value` as text, on one line unless `indent` is 0 or more. Bytes that are not UTF-8, as names in
/// foreign files may hold them, become U+FFFD.
std::string write_json(const Json& value, int indent = -1);
/// `text` with such bytes replaced likewise.
std::string valid_utf8(std::string_view text);

/// RFC 7386 merge patch: maps merge deeply, anything else replaces, null removes.
void merge_patch(Json& target, const Json& patch);

/// A value as people read it: null is "not available", a number has four digits (a larger one all
/// before the point), a map is "key value, key value", a list its items.
std::string readable(const Json& value);

}  // namespace wattwise
