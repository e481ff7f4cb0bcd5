// SPDX-License-Identifier: Apache-2.0
#include "engine/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "core/text.h"

namespace wattwise::engine {
namespace {

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }
bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// "path/file.cc:123"
bool is_source_place(std::string_view word) {
  constexpr std::array<std::string_view, 5> kEndings = {".h", ".cc", ".cpp", ".cu", ".cuh"};
  const size_t colon = word.rfind(':');
  if (colon == std::string_view::npos || colon + 1 == word.size()) return false;
  const std::string_view file = word.substr(0, colon);
  const std::string_view line = word.substr(colon + 1);
  return std::all_of(line.begin(), line.end(), is_digit) &&
         std::any_of(kEndings.begin(), kEndings.end(),
                     [&](std::string_view ending) { return file.ends_with(ending); });
}

/// Where the bracket that opens at `open` closes, and one further; npos if it does not.
size_t after_bracket(std::string_view text, size_t open) {
  const char opening = text[open];
  const char closing = opening == '(' ? ')' : ']';
  int depth = 0;
  for (size_t i = open; i < text.size(); ++i) {
    depth += text[i] == opening ? 1 : text[i] == closing ? -1 : 0;
    if (depth == 0) return i + 1;
  }
  return std::string_view::npos;
}

/// What follows the function that stands at the start: a whole signature, or a bare name.
std::string_view without_function(std::string_view text) {
  const size_t open = text.find('(');
  if (open != std::string_view::npos && text.substr(0, open).find("::") < open) {
    const size_t end = after_bracket(text, open);
    if (end == std::string_view::npos) return text;
    text = trim(text.substr(end));
    if (text.starts_with("const ")) text = trim(text.substr(6));
    if (text.starts_with("[with "))
      text = trim(text.substr(std::min(text.size(), after_bracket(text, 0))));
    return text;
  }
  const size_t end = std::find_if_not(text.begin(), text.end(), is_word) - text.begin();
  return end < text.size() && text[end] == ' ' ? trim(text.substr(end)) : text;
}

/// "n == 1 was false. Three by four" says enough without its condition.
std::string_view without_condition(std::string_view text) {
  constexpr std::string_view kFalse = " was false.";
  const size_t at = text.find(kFalse);
  if (at == std::string_view::npos) return text;
  const std::string_view rest = trim(text.substr(at + kFalse.size()));
  return rest.empty() ? text : rest;
}

std::string without_places(std::string_view text) {
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find(' ', start), text.size());
    if (is_source_place(text.substr(start, end - start))) {
      const std::string_view rest = without_function(trim(text.substr(end)));
      const std::string head(text.substr(0, start));
      return head + without_places(without_condition(rest));
    }
    start = end + 1;
  }
  return std::string(text);
}

}  // namespace

std::string readable_message(std::string_view message) {
  constexpr std::string_view kRunning = "Non-zero status code returned while running ";
  constexpr std::string_view kName = " node. Name:'";
  constexpr std::string_view kStatus = "' Status Message: ";
  std::string line(trim(message));
  std::replace(line.begin(), line.end(), '\n', ' ');
  const size_t name = line.find(kName);
  const size_t status = line.find(kStatus);
  if (!line.starts_with(kRunning) || name == std::string::npos || status == std::string::npos ||
      status < name + kName.size()) {
    return without_places(line);
  }
  const size_t begin = name + kName.size();
  return fmt::format("the {} node \"{}\": {}", line.substr(kRunning.size(), name - kRunning.size()),
                     line.substr(begin, status - begin),
                     without_places(line.substr(status + kStatus.size())));
}

}  // namespace wattwise::engine
