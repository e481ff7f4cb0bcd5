// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "input/dataset.h"
#include "input/labels.h"

namespace wattwise::input {
namespace {

/// How a line is taken apart.
struct Columns {
  char separator = 0;  ///< 0: the whole line is the text
  size_t text = 0;
  std::optional<size_t> label = {};
  size_t count = 1;
  bool has_heading = false;
};

std::optional<size_t> find_column(const std::vector<std::string>& fields,
                                  std::span<const std::string_view> names) {
  for (size_t i = 0; i < fields.size(); ++i) {
    const std::string field = to_lower(fields[i]);
    if (std::find(names.begin(), names.end(), field) != names.end()) return i;
  }
  return std::nullopt;
}

/// A heading names the columns; without one there are two, text and label.
Result<Columns> find_columns(const std::string& path, std::string_view first) {
  const std::string extension = to_lower(file_extension(path));
  if (extension != ".tsv" && extension != ".csv") return Columns{};
  Columns columns{extension == ".tsv" ? '\t' : ','};
  const auto fields = split_fields(first, columns.separator);
  columns.count = fields.size();
  constexpr std::array<std::string_view, 2> kLabels = {"label", "labels"};
  constexpr std::array<std::string_view, 2> kTexts = {"text", "sentence"};
  const auto text = find_column(fields, kTexts);
  columns.label = find_column(fields, kLabels);
  columns.has_heading = text || columns.label;
  if (text) columns.text = *text;
  if (columns.has_heading && !text && columns.label == 0) columns.text = 1;
  if (!columns.has_heading && columns.count == 2) columns.label = 1;
  if (columns.has_heading ? columns.text < columns.count : columns.count <= 2) return columns;
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("{} has {} columns: name them in a first line, \"text\" and \"label\"",
                           path, columns.count));
}

Result<std::vector<std::string>> take_apart(const std::string& path, std::string_view line,
                                            const Columns& columns) {
  auto fields = split_fields(line, columns.separator);
  if (fields.size() == columns.count) return fields;
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("{}: the line \"{}\" has {} columns, not {}", path, line.substr(0, 60),
                           fields.size(), columns.count));
}

}  // namespace

Result<Dataset> open_sample_lines(const Env& env, const std::string& path) {
  const Bytes content = WATTWISE_TRY(env.map_file(path));
  std::vector<std::string_view> lines = split_lines(content.as_text());
  const Columns columns =
      lines.empty() ? Columns{} : WATTWISE_TRY(find_columns(path, lines.front()));
  if (columns.has_heading) lines.erase(lines.begin());
  if (lines.empty()) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} holds no text: write a sample a line", path));
  }
  std::vector<std::string> words;
  for (const std::string_view line : lines) {
    if (columns.separator == 0) break;
    const auto fields = WATTWISE_TRY(take_apart(path, line, columns));
    if (columns.label) words.push_back(fields[*columns.label]);
  }
  Labels labels = number_labels(words);
  const size_t size = lines.size();
  const auto read = [path, content, columns, lines = std::move(lines),
                     values = std::move(labels.values)](size_t index) -> Result<RawSample> {
    std::string text(lines[index]);
    if (columns.separator != 0) text = split_fields(lines[index], columns.separator)[columns.text];
    RawSample sample{{{{"text", std::move(text)}}}, {}, {}};
    if (!values.empty()) sample.labels = {values[index]};
    sample.name = fmt::format("sample {} of {}", index + 1, path);
    return sample;
  };
  return Dataset(size, read, std::move(labels.class_names));
}

}  // namespace wattwise::input
