// SPDX-License-Identifier: Apache-2.0
#include "optimize/fix_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <vector>

#include "core/text.h"
#include "input/cast.h"
#include "model/walk.h"
#include "optimize/inline_graph.h"

namespace wattwise::optimize {
namespace {

template <typename T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<int64_t> parse_integer(std::string_view text) {
  if (equals_ignoring_case(text, "true")) return 1;
  if (equals_ignoring_case(text, "false")) return 0;
  return parse_number<int64_t>(text);
}

std::vector<std::string> items_of(const std::string& text) {
  std::string_view inside = trim(text);
  if (inside.starts_with('[') && inside.ends_with(']'))
    inside = inside.substr(1, inside.size() - 2);
  std::vector<std::string> items;
  for (const std::string& item : split(inside, ',')) items.emplace_back(trim(item));
  return items;
}

/// Integers if all items are, else doubles; absent if some item is no number.
template <typename T, typename Parse>
std::optional<std::vector<T>> parse_all(const std::vector<std::string>& items, Parse parse) {
  std::vector<T> values;
  for (const std::string& item : items) {
    const auto value = parse(item);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

/// The input's shape for `count` elements; absent if there is none, or no single one.
std::optional<std::vector<int64_t>> shape_for(const model::Value& input, int64_t count) {
  if (!input.shape) {
    return count == 1 ? std::vector<int64_t>() : std::vector<int64_t>{count};
  }
  std::vector<int64_t> shape;
  int64_t known = 1;
  size_t open = 0;
  for (const model::Dimension& dimension : *input.shape) {
    shape.push_back(dimension.value.value_or(-1));
    open += dimension.value ? 0 : 1;
    known *= dimension.value.value_or(1);
  }
  // With several free dimensions only a single element leaves no doubt.
  if (known <= 0 || count % known != 0 || (open > 1 && count != known)) return std::nullopt;
  if (open == 0 && count != known) return std::nullopt;
  std::replace(shape.begin(), shape.end(), int64_t{-1}, count / known);
  return shape;
}

Error refused(const std::string& name, const std::string& text, const std::string& why) {
  return {ErrorCode::kInvalidArgument,
          fmt::format("the input {} cannot be fixed to \"{}\": {}", name, text, why)};
}

Result<Tensor> parse_value(const model::Value& input, const std::string& text) {
  const auto items = items_of(text);
  const auto integers = parse_all<int64_t>(items, parse_integer);
  const auto reals = parse_all<double>(items, parse_number<double>);
  if (!integers && !reals) {
    return refused(input.name, text, "give a number, true, false, or a list of those");
  }
  const auto shape = shape_for(input, static_cast<int64_t>(items.size()));
  if (!shape) {
    return refused(input.name, text, fmt::format("{} values do not fill its shape", items.size()));
  }
  const Tensor given =
      integers
          ? make_int64_tensor(*shape, *integers)
          : Tensor{DataType::kDouble, *shape, Bytes::copy_of(std::span<const double>(*reals)), {}};
  auto cast = input::cast_tensor(given, input.type);
  if (!cast) return refused(input.name, text, cast.error().message());
  return cast;
}

const model::Value* find_input(const model::Model& model, const std::string& name) {
  const auto& inputs = model.graph.inputs;
  const auto it = std::find_if(inputs.begin(), inputs.end(),
                               [&](const model::Value& input) { return input.name == name; });
  return it == inputs.end() ? nullptr : &*it;
}

std::set<std::string> free_dimensions(const model::Model& model) {
  std::set<std::string> names;
  for (const model::Value& input : model.graph.inputs) {
    for (const auto& dimension : input.shape.value_or(std::vector<model::Dimension>())) {
      if (!dimension.value && !dimension.name.empty()) names.insert(dimension.name);
    }
  }
  return names;
}

Result<void> check_dimension(const model::Model& model, const std::string& name,
                             const std::string& text) {
  const auto dimensions = free_dimensions(model);
  if (!dimensions.contains(name)) {
    std::vector<std::string> known(dimensions.begin(), dimensions.end());
    for (const model::Value& input : model.graph.inputs) known.push_back(input.name);
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("\"{}\" is neither an input nor a free dimension of the model.{}",
                             name, suggestion(name, known)));
  }
  const auto size = parse_number<int64_t>(trim(text));
  if (size && *size > 0) return {};
  return Error(
      ErrorCode::kInvalidArgument,
      fmt::format("the dimension {} cannot be \"{}\"; give a whole number above 0", name, text));
}

void fix_dimension(std::vector<model::Value>& values, const std::string& name, int64_t size) {
  for (model::Value& value : values) {
    if (!value.shape) continue;
    for (model::Dimension& dimension : *value.shape) {
      if (dimension.value || dimension.name != name) continue;
      dimension.value = size;
      dimension.name.clear();
    }
  }
}

void fix_value(model::Graph& graph, const std::string& name, const Tensor& tensor) {
  const auto named = [&](const auto& item) { return item.name == name; };
  std::erase_if(graph.inputs, named);
  std::erase_if(graph.initializers, named);  // the default that it had
  graph.nodes.insert(graph.nodes.begin(),
                     make_constant_node(model::make_constant("", tensor), name));
}

}  // namespace

Result<TensorMap> fixed_tensors(const model::Model& model, const FixedInputs& fixed) {
  TensorMap tensors;
  for (const auto& [name, text] : fixed) {
    const model::Value* input = find_input(model, name);
    if (input) {
      tensors[name] = WATTWISE_TRY(parse_value(*input, text));
    } else {
      WATTWISE_TRY(check_dimension(model, name, text));
    }
  }
  return tensors;
}

Result<void> fix_inputs(model::Model& model, const FixedInputs& fixed) {
  const TensorMap tensors = WATTWISE_TRY(fixed_tensors(model, fixed));
  for (const auto& [key, text] : fixed) {
    const std::string& name = key;  // a lambda may not capture the binding itself
    if (const auto it = tensors.find(name); it != tensors.end()) {
      fix_value(model.graph, name, it->second);
      continue;
    }
    const int64_t size = parse_number<int64_t>(trim(text)).value_or(1);
    model::for_each_graph(model.graph, [&](model::Graph& graph, const std::string&) {
      for (auto* values : {&graph.inputs, &graph.outputs, &graph.value_info}) {
        fix_dimension(*values, name, size);
      }
    });
  }
  return {};
}

}  // namespace wattwise::optimize
