// SPDX-License-Identifier: Apache-2.0
#include "cli/parse_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "core/json.h"

namespace wattwise::cli {
namespace {

bool is_name_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == ':' ||
         c == '/';
}

/// Collects the numbers or texts of nested arrays and their shape; false if they are ragged.
bool flatten(const Json& json, size_t depth, std::vector<int64_t>& shape,
             std::vector<Json>& numbers) {
  if (json.is_number() || json.is_string()) {
    numbers.push_back(json);
    return depth == shape.size();
  }
  if (!json.is_array()) return false;
  const auto size = static_cast<int64_t>(json.size());
  if (depth == shape.size() && numbers.empty()) shape.push_back(size);
  if (depth >= shape.size() || shape[depth] != size) return false;
  return std::all_of(json.begin(), json.end(),
                     [&](const Json& item) { return flatten(item, depth + 1, shape, numbers); });
}

bool is_number(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  return json.is_number();
}

Result<InputValue> parse_array(const std::string& text) {
  const Json json = WATTWISE_TRY(parse_json_argument(text, fmt::format("the input {}", text)));
  std::vector<int64_t> shape;
  std::vector<Json> numbers;
  const bool regular = flatten(json, 0, shape, numbers);
  const auto texts = std::count_if(numbers.begin(), numbers.end(),
                                   [](const Json& item) { return item.is_string(); });
  if (!regular || (texts > 0 && texts < static_cast<int64_t>(numbers.size()))) {
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("the input {} is no regular array of numbers or of texts; write it like [[1, "
                    "2], [3, 4]] or [\"a\", \"b\"]",
                    text));
  }
  if (texts > 0) {
    Tensor tensor{DataType::kString, shape, {}, {}};
    for (const Json& item : numbers) tensor.strings.push_back(item.get<std::string>());
    return InputValue(std::move(tensor));
  }
  const bool whole = std::all_of(numbers.begin(), numbers.end(),
                                 [](const Json& number) { return number.is_number_integer(); });
  if (whole) {
    std::vector<int64_t> values;
    for (const Json& number : numbers) values.push_back(number.get<int64_t>());
    return InputValue(make_int64_tensor(shape, values));
  }
  std::vector<float> values;
  for (const Json& number : numbers) values.push_back(number.get<float>());
  return InputValue(make_float_tensor(shape, values));
}

}  // namespace

Result<InferenceInputs> parse_inputs(const std::vector<std::string>& words) {
  InferenceInputs inputs;
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    const bool named =
        equals != std::string::npos && equals > 0 &&
        std::all_of(word.begin(), word.begin() + static_cast<ptrdiff_t>(equals), is_name_character);
    const std::string name = named ? word.substr(0, equals) : "";
    const std::string value = named ? word.substr(equals + 1) : word;
    if (!named && words.size() > 1) {
      return Error(
          ErrorCode::kInvalidArgument,
          fmt::format("the input \"{}\" needs a name (NAME=VALUE), as there are several", word));
    }
    const bool array = (!value.empty() && value.front() == '[') || (named && is_number(value));
    inputs.values.emplace_back(name, array ? WATTWISE_TRY(parse_array(value)) : InputValue(value));
  }
  return inputs;
}

Result<std::map<std::string, std::string>> parse_assignments(const std::vector<std::string>& words,
                                                             std::string_view option) {
  std::map<std::string, std::string> values;
  for (const std::string& word : words) {
    // Names may hold the sign, values do not.
    const size_t equals = word.rfind('=');
    if (equals == std::string::npos || equals == 0) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("{} takes NAME=VALUE, not \"{}\"", option, word));
    }
    values[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return values;
}

}  // namespace wattwise::cli
