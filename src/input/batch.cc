// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "input/fit.h"
#include "input/ports.h"
#include "input/prepare_inputs.h"

namespace wattwise::input {
namespace {

bool same_content(const Tensor& a, const Tensor& b) {
  const auto left = a.data.view();
  const auto right = b.data.view();
  return a.type == b.type && a.shape == b.shape && a.strings == b.strings &&
         std::equal(left.begin(), left.end(), right.begin(), right.end());
}

bool may_join(const Tensor& a, const Tensor& b) {
  return a.type == b.type && a.shape.size() == b.shape.size() && !a.shape.empty() &&
         std::equal(a.shape.begin() + 1, a.shape.end(), b.shape.begin() + 1);
}

using Column = std::vector<const Tensor*>;

bool all_same(const Column& parts) {
  return std::all_of(parts.begin(), parts.end(),
                     [&](const Tensor* part) { return same_content(*part, *parts.front()); });
}

/// The tensors of one name, one of each item.
Result<Column> column_of(const std::vector<TensorMap>& items, const std::string& name) {
  Column parts;
  for (const TensorMap& item : items) {
    const auto found = item.find(name);
    if (found == item.end() || item.size() != items.front().size()) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("the items of a batch have different inputs around {}: give every "
                               "item the same ones",
                               name));
    }
    parts.push_back(&found->second);
  }
  return parts;
}

Tensor join_parts(const Column& parts) {
  Tensor joined = *parts.front();
  joined.shape[0] = 0;
  joined.strings.clear();
  std::vector<std::byte> buffer;
  for (const Tensor* part : parts) {
    joined.shape[0] += part->shape[0];
    const auto view = part->data.view();
    buffer.insert(buffer.end(), view.begin(), view.end());
    joined.strings.insert(joined.strings.end(), part->strings.begin(), part->strings.end());
  }
  joined.data = Bytes::own(std::move(buffer));
  return joined;
}

Result<Tensor> stack_column(const Column& parts, const std::string& name) {
  if (parts.front()->shape.empty() && all_same(parts)) return *parts.front();
  for (const Tensor* part : parts) {
    if (may_join(*part, *parts.front())) continue;
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("cannot put {} and {} of {} into one batch: run them one by one, or "
                             "make their shapes equal",
                             describe_tensor(*parts.front()), describe_tensor(*part), name));
  }
  return join_parts(parts);
}

Error fixed_batch(const PortInfo& port, const Tensor& stacked) {
  return {ErrorCode::kInvalidArgument,
          fmt::format("the input {} takes {}, not a batch {}: run the items one by one", port.name,
                      describe_type(port), describe_tensor(stacked))};
}

Result<Tensor> stack_for_port(const Column& parts, const PortInfo& port) {
  const bool is_setting = port.shape.size() == 1 && port.shape[0] == 1;  // such as a sampling rate
  if (is_setting && all_same(parts)) return *parts.front();
  Tensor stacked = WATTWISE_TRY(stack_column(parts, port.name));
  if (!shape_fits(stacked.shape, port)) return fixed_batch(port, stacked);
  return stacked;
}

/// Which value fills up a port of tokens.
struct Filler {
  const PortInfo* port;
  int64_t value;
};

/// Matrices of one row length; elements of 4 or 8 bytes.
Tensor lengthen(const Tensor& rows, int64_t length, int64_t value, bool left) {
  const size_t item = static_cast<size_t>(*data_type_bits(rows.type)) / 8;
  const size_t old_bytes = static_cast<size_t>(rows.shape[1]) * item;
  const size_t new_bytes = static_cast<size_t>(length) * item;
  const size_t start = left ? new_bytes - old_bytes : 0;
  std::vector<std::byte> buffer(static_cast<size_t>(rows.shape[0]) * new_bytes);
  for (size_t at = 0; at < buffer.size(); at += item) {
    std::memcpy(&buffer[at], &value, item);  // little endian: the low bytes come first
  }
  for (size_t row = 0; row < static_cast<size_t>(rows.shape[0]); ++row) {
    std::memcpy(&buffer[row * new_bytes + start], rows.data.data() + row * old_bytes, old_bytes);
  }
  return {rows.type, {rows.shape[0], length}, Bytes::own(std::move(buffer)), {}};
}

bool is_token_matrix(const Tensor& tensor) {
  return tensor.shape.size() == 2 &&
         (tensor.type == DataType::kInt64 || tensor.type == DataType::kInt32);
}

int64_t longest_row(const std::vector<PreparedInputs>& items, const std::string& name) {
  int64_t longest = 0;
  for (const PreparedInputs& item : items) {
    const auto found = item.tensors.find(name);
    if (found == item.tensors.end() || !is_token_matrix(found->second)) return 0;
    longest = std::max(longest, found->second.shape[1]);
  }
  return longest;
}

void fill_up(std::vector<PreparedInputs>& items, const Filler& filler, bool left) {
  if (!filler.port) return;
  const int64_t length = longest_row(items, filler.port->name);
  for (PreparedInputs& item : items) {
    if (length == 0) return;
    Tensor& rows = item.tensors[filler.port->name];
    if (rows.shape[1] < length) rows = lengthen(rows, length, filler.value, left);
  }
}

/// Texts of different lengths, only where a mask can hide what fills them up.
Result<void> equalize_texts(std::vector<PreparedInputs>& items, const Preprocessor& preprocessor,
                            const std::vector<PortInfo>& ports) {
  const TextPorts text = find_text_ports(ports);
  if (!text.ids || !text.mask || longest_row(items, text.ids->name) == 0) return {};
  Padding padding;
  if (preprocessor.tokenizer) padding = WATTWISE_TRY(preprocessor.tokenizer->padding());
  for (const Filler& filler : {Filler{text.ids, padding.id}, Filler{text.mask, 0},
                               Filler{text.type_ids, 0}, Filler{text.positions, 0}}) {
    fill_up(items, filler, padding.left);
  }
  return {};
}

void add_new(std::vector<Decision>& decisions, const std::vector<Decision>& more) {
  for (const Decision& decision : more) {
    const bool known = std::any_of(decisions.begin(), decisions.end(), [&](const Decision& old) {
      return old.action == decision.action && old.subject == decision.subject &&
             old.reason == decision.reason;
    });
    if (!known) decisions.push_back(decision);
  }
}

}  // namespace

Result<TensorMap> stack(const std::vector<TensorMap>& items) {
  TensorMap stacked;
  if (items.empty()) return stacked;
  for (const auto& [name, tensor] : items.front()) {
    const Column parts = WATTWISE_TRY(column_of(items, name));
    stacked[name] = WATTWISE_TRY(stack_column(parts, name));
  }
  return stacked;
}

Result<PreparedInputs> prepare_batch(const Env& env, const Preprocessor& preprocessor,
                                     const std::vector<PortInfo>& ports,
                                     std::span<const RawInput> items) {
  std::vector<PreparedInputs> prepared;
  for (const RawInput& item : items) {
    prepared.push_back(WATTWISE_TRY(prepare_inputs(env, preprocessor, ports, item)));
  }
  if (prepared.size() == 1) return std::move(prepared.front());
  WATTWISE_TRY(equalize_texts(prepared, preprocessor, ports));
  std::vector<TensorMap> maps;
  PreparedInputs batch;
  for (PreparedInputs& item : prepared) {
    add_new(batch.decisions, item.decisions);
    maps.push_back(std::move(item.tensors));
  }
  for (const auto& [name, tensor] : maps.front()) {
    const Column parts = WATTWISE_TRY(column_of(maps, name));
    batch.tensors[name] = WATTWISE_TRY(stack_for_port(parts, *find_port(ports, name)));
  }
  return batch;
}

}  // namespace wattwise::input
