// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/env.h"
#include "wattwise/result.h"

namespace wattwise::input {

/// One text as numbers; the three lists have the same length.
struct TokenIds {
  std::vector<int64_t> ids;
  std::vector<int64_t> attention_mask;
  std::vector<int64_t> type_ids;
  bool truncated = false;  ///< the end of the text was left out
};

/// How shorter texts of a batch are filled up.
struct Padding {
  int64_t id = 0;
  bool left = false;  ///< on their left, as decoders want it
};

/// A Hugging Face tokenizer. Thread rule: every method may be called from several threads.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  /// UTF-8 `text` with special tokens and without padding. Truncated as tokenizer.json says, and to
  /// `max_tokens` (special ones included) unless that is 0. kInvalidArgument if it is not UTF-8.
  virtual Result<TokenIds> encode(std::string_view text, int64_t max_tokens) const = 0;
  virtual Result<Padding> padding() const = 0;
};

/// Reads a tokenizer.json at once. kUnsupported when this build has no tokenizer, with how to get
/// one; kNotFound; kCorrupt.
Result<std::shared_ptr<const Tokenizer>> load_tokenizer(const Env& env, const std::string& path);

/// Maps the file now and parses it with the first text, so that a model fed with arrays does not
/// pay for it. What load_tokenizer() would have refused, encode() then refuses.
Result<std::shared_ptr<const Tokenizer>> load_tokenizer_lazily(const Env& env,
                                                               const std::string& path);

}  // namespace wattwise::input
