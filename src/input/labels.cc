// SPDX-License-Identifier: Apache-2.0
#include "input/labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>

#include "core/text.h"
#include "input/array_file.h"
#include "input/cast.h"
#include "input/ports.h"

namespace wattwise::input {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::array<std::string_view, 2> kLabelKeys = {"label", "labels"};

std::optional<double> parse_number(std::string_view word) {
  double number = 0;
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), number);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == word.data() + word.size();
  return whole ? std::optional(number) : std::nullopt;
}

char separator_of(std::string_view line) {
  for (const char separator : {'\t', ','}) {
    if (line.find(separator) != std::string_view::npos) return separator;
  }
  return ' ';
}

Error wrong_table(const std::string& path, const std::string& what) {
  return {ErrorCode::kInvalidArgument,
          fmt::format("{}: {}; write a line with file name and label for each sample", path, what)};
}

/// Label words by file name.
Result<std::map<std::string, std::string>> read_table(const Env& env, const std::string& path,
                                                      const std::set<std::string>& names) {
  const Bytes content = WATTWISE_TRY(env.map_file(path));
  std::map<std::string, std::string> table;
  size_t number = 0;
  for (const std::string_view line : split_lines(content.as_text())) {
    const auto fields = split_fields(line, separator_of(line));
    const bool is_heading = number++ == 0 && !names.contains(fields.front());
    if (is_heading) continue;
    if (fields.size() != 2) {
      return wrong_table(path, fmt::format("\"{}\" is no file name and label", line));
    }
    if (!names.contains(fields[0])) {
      return wrong_table(path, fmt::format("there is no sample {} beside it", fields[0]));
    }
    table[fields[0]] = fields[1];
  }
  return table;
}

}  // namespace

std::vector<std::string> split_fields(std::string_view line, char separator) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const bool doubled = quoted && line[i] == '"' && i + 1 < line.size() && line[i + 1] == '"';
    if (doubled) {
      fields.back() += line[i++];
    } else if (line[i] == '"' && (quoted || fields.back().empty())) {
      quoted = !quoted;
    } else if (line[i] == separator && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += line[i];
    }
  }
  for (std::string& field : fields) field = std::string(trim(field));
  return fields;
}

std::vector<std::string_view> split_lines(std::string_view content) {
  if (content.starts_with(kByteOrderMark)) content.remove_prefix(kByteOrderMark.size());
  std::vector<std::string_view> lines;
  while (!content.empty()) {
    const size_t end = std::min(content.find('\n'), content.size());
    const std::string_view line = trim(content.substr(0, end));
    if (!line.empty()) lines.push_back(line);
    content.remove_prefix(std::min(end + 1, content.size()));
  }
  return lines;
}

Labels number_labels(const std::vector<std::string>& words) {
  Labels labels;
  for (const std::string& word : words) {
    const auto number = parse_number(word);
    if (!number) break;
    labels.values.push_back(*number);
  }
  if (labels.values.size() == words.size()) return labels;
  const std::set<std::string> distinct(words.begin(), words.end());
  labels.class_names.assign(distinct.begin(), distinct.end());
  labels.values.clear();
  for (const std::string& word : words) {
    labels.values.push_back(
        static_cast<double>(std::distance(distinct.begin(), distinct.find(word))));
  }
  return labels;
}

Result<Labels> read_label_table(const Env& env, const std::string& path,
                                const std::vector<std::string>& names) {
  const auto table =
      WATTWISE_TRY(read_table(env, path, std::set<std::string>(names.begin(), names.end())));
  std::vector<std::string> words;
  for (const std::string& name : names) {
    const auto it = table.find(name);
    if (it == table.end()) return wrong_table(path, fmt::format("{} has no label", name));
    words.push_back(it->second);
  }
  return number_labels(words);
}

Result<Labels> read_label_list(const Env& env, const std::string& path, size_t count) {
  Labels labels;
  if (file_extension(path) == ".npy") {
    const Tensor array = WATTWISE_TRY(read_npy(env, path));
    labels.values = WATTWISE_TRY(to_numbers(array));
  } else {
    const Bytes content = WATTWISE_TRY(env.map_file(path));
    const auto lines = split_lines(content.as_text());
    labels = number_labels({lines.begin(), lines.end()});
  }
  if (labels.values.size() == count) return labels;
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("{} holds {} labels for {} samples: write one for each, in their order",
                           path, labels.values.size(), count));
}

const Tensor* find_labels(const TensorMap& arrays, const std::vector<PortInfo>& ports) {
  for (const std::string_view key : kLabelKeys) {
    const auto it = arrays.find(std::string(key));
    if (it != arrays.end() && !find_port(ports, key)) return &it->second;
  }
  return nullptr;
}

Result<std::vector<double>> to_numbers(const Tensor& array) {
  const Tensor numbers = WATTWISE_TRY(cast_tensor(array, DataType::kDouble));
  const auto values = numbers.values<double>();
  return std::vector<double>(values.begin(), values.end());
}

}  // namespace wattwise::input
