// SPDX-License-Identifier: Apache-2.0
#include "core/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace wattwise {
namespace {

/// Deeper documents are refused: the parser recurses, and no table or config needs it.
constexpr int kMaxDepth = 200;

int depth_of(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

std::string place_of(std::string_view text, size_t byte) {
  const std::string_view before = text.substr(0, byte == 0 ? 0 : byte - 1);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const size_t last_break = before.rfind('\n');
  const size_t column =
      before.size() - (last_break == std::string_view::npos ? 0 : last_break + 1) + 1;
  return fmt::format("line {}, column {}", line, column);
}

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view source) {
  if (depth_of(text) > kMaxDepth) {
    return Error(ErrorCode::kCorrupt,
                 fmt::format("{} is nested deeper than {} levels", source, kMaxDepth));
  }
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& e) {
    return Error(ErrorCode::kCorrupt, fmt::format("{} is not valid JSON at {}: correct it there",
                                                  source, place_of(text, e.byte)));
  } catch (const Json::exception&) {
    return Error(ErrorCode::kCorrupt,
                 fmt::format("{} holds a number that JSON cannot carry", source));
  }
}

Result<Json> parse_json_argument(std::string_view text, std::string_view source) {
  auto json = parse_json(text, source);
  if (json) return json;
  return Error(ErrorCode::kInvalidArgument, json.error().message());
}

std::string write_json(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string valid_utf8(std::string_view text) {
  return Json::parse(write_json(Json(text))).get<std::string>();
}

void merge_patch(Json& target, const Json& patch) { target.merge_patch(patch); }

std::string readable(const Json& value) {
  if (value.is_null()) return "not available";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number_float()) {
    const auto number = value.get<double>();
    const double size = std::abs(number);
    return size >= 1e4 && size < 1e15 ? fmt::format("{:.0f}", number)
                                      : fmt::format("{:.4g}", number);
  }
  if (!value.is_structured()) return write_json(value);
  if (value.empty()) return "none";
  std::string out;
  for (const auto& [key, item] : value.items()) {
    out += (out.empty() ? "" : ", ") + (value.is_object() ? key + " " : "") + readable(item);
  }
  return out;
}

}  // namespace wattwise
