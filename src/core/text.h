// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wattwise {

std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);
bool equals_ignoring_case(std::string_view a, std::string_view b);
std::string_view trim(std::string_view text);
std::vector<std::string> split(std::string_view text, char separator);
std::string join(std::span<const std::string> parts, std::string_view separator);

/// Levenshtein distance, at most `limit` + 1.
int edit_distance(std::string_view a, std::string_view b, int limit);

/// The nearest of `known` within a third of the word's length, ignoring case.
std::optional<std::string> nearest_name(std::string_view word, std::span<const std::string> known);

/// ` Did you mean "x"?`, or the list of what is known when nothing is near.
std::string suggestion(std::string_view word, std::span<const std::string> known);

/// 1,234,567 B as "1.23 MB" (powers of 1000).
std::string format_bytes(uint64_t bytes);

/// A ratio to an error as "34.1 dB"; "exact" where there is no error, "all error" where there is
/// nothing else, "not measurable" where it is not a number.
std::string format_decibels(double value);

/// RFC 3339 in UTC with seconds, from seconds since the epoch.
std::string format_timestamp(double epoch_seconds);

}  // namespace wattwise
