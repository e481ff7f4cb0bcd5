// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "input/feed.h"
#include "input/fit.h"
#include "input/ports.h"

namespace wattwise::input {
namespace {

Error no_text_input(const FeedContext& context) {
  return {
      ErrorCode::kInvalidArgument,
      fmt::format("the model has no input for the ids of a text: pass arrays by name; it takes {}",
                  describe_ports(context.ports))};
}

Error no_tokenizer(const FeedContext& context, const PortInfo& ids) {
  return {ErrorCode::kNotFound,
          fmt::format("cannot turn a text into {}: there is no tokenizer.json in {}; put the "
                      "model's Hugging Face tokenizer (vocabulary and rules) there, or pass ids as "
                      "an array",
                      ids.name, context.preprocessor.folder)};
}

/// The port's fixed number of tokens, or 0.
int64_t fixed_length(const PortInfo& ids) { return std::max<int64_t>(0, ids.shape.back()); }

int64_t token_limit(const FeedContext& context, const PortInfo& ids) {
  const int64_t fixed = fixed_length(ids);
  const int64_t limit = context.preprocessor.max_tokens;
  return fixed == 0 ? limit : limit == 0 ? fixed : std::min(fixed, limit);
}

/// Texts as rows of one length.
struct TokenRows {
  int64_t count = 0;
  int64_t length = 0;
  std::vector<int64_t> ids, mask, type_ids, positions;
};

/// 0, 1, 2, ... over what the mask keeps, and 0 before it.
void append_positions(const std::vector<int64_t>& mask, std::vector<int64_t>& positions) {
  int64_t next = 0;
  for (const int64_t kept : mask) {
    positions.push_back(next);
    next += kept;
  }
}

/// A row with `gap` fillers at its end, or at its start.
void append_row(std::vector<int64_t>& rows, std::vector<int64_t> row, size_t gap,
                const Padding& padding) {
  row.insert(padding.left ? row.begin() : row.end(), gap, padding.id);
  rows.insert(rows.end(), row.begin(), row.end());
}

TokenRows to_rows(const std::vector<TokenIds>& texts, int64_t length, const Padding& padding) {
  const Padding zeros{0, padding.left};
  TokenRows rows;
  rows.count = static_cast<int64_t>(texts.size());
  rows.length = length;
  for (const TokenIds& text : texts) {
    const size_t gap = static_cast<size_t>(length) - text.ids.size();
    append_row(rows.ids, text.ids, gap, padding);
    append_row(rows.type_ids, text.type_ids, gap, zeros);
    std::vector<int64_t> mask;
    append_row(mask, text.attention_mask, gap, zeros);
    append_positions(mask, rows.positions);
    rows.mask.insert(rows.mask.end(), mask.begin(), mask.end());
  }
  return rows;
}

/// One list of numbers in the port's type; a port of one dimension takes one text.
Result<void> put_rows(const TokenRows& rows, const std::vector<int64_t>& values,
                      const PortInfo* port, PreparedInputs& out) {
  if (!port) return {};
  const std::vector<int64_t> shape = port->shape.size() == 1 && rows.count == 1
                                         ? std::vector<int64_t>{rows.length}
                                         : std::vector<int64_t>{rows.count, rows.length};
  FittedTensor fitted = WATTWISE_TRY(fit_tensor(make_int64_tensor(shape, values), *port));
  out.tensors[port->name] = std::move(fitted.tensor);  // this cast is ours, not the caller's
  return {};
}

struct Encoded {
  std::vector<TokenIds> texts;
  int64_t longest = 0;
  std::vector<Decision> decisions;
};

Result<Encoded> encode_all(const FeedContext& context, const PortInfo& ids,
                           std::span<const std::string> texts) {
  const int64_t limit = token_limit(context, ids);
  Encoded encoded;
  for (const std::string& text : texts) {
    TokenIds tokens = WATTWISE_TRY(context.preprocessor.tokenizer->encode(text, limit));
    const auto count = static_cast<int64_t>(tokens.ids.size());
    encoded.longest = std::max(encoded.longest, count);
    if (tokens.truncated) {
      encoded.decisions.push_back(
          {"truncate", ids.name,
           fmt::format("the text has more than the {} tokens that are taken", count)});
    }
    encoded.texts.push_back(std::move(tokens));
  }
  return encoded;
}

}  // namespace

Result<PreparedInputs> feed_text(const FeedContext& context, std::span<const std::string> texts) {
  const TextPorts ports = find_text_ports(context.ports);
  if (!ports.ids) return no_text_input(context);
  if (!context.preprocessor.tokenizer) return no_tokenizer(context, *ports.ids);
  Encoded encoded = WATTWISE_TRY(encode_all(context, *ports.ids, texts));
  const int64_t length = std::max(encoded.longest, fixed_length(*ports.ids));
  const Padding padding = WATTWISE_TRY(context.preprocessor.tokenizer->padding());
  const TokenRows rows = to_rows(encoded.texts, length, padding);
  PreparedInputs prepared{{}, std::move(encoded.decisions)};
  WATTWISE_TRY(put_rows(rows, rows.ids, ports.ids, prepared));
  WATTWISE_TRY(put_rows(rows, rows.mask, ports.mask, prepared));
  WATTWISE_TRY(put_rows(rows, rows.type_ids, ports.type_ids, prepared));
  WATTWISE_TRY(put_rows(rows, rows.positions, ports.positions, prepared));
  return prepared;
}

}  // namespace wattwise::input
