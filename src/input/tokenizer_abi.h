// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

// The C interface of tokenizer_rs/lib.rs; both sides change together. Nothing here throws or
// unwinds. Only tokenizer.cc includes it.
extern "C" {

struct WattwiseTokenizer;

/// UTF-8 or JSON, kept alive by the caller during the call.
struct WattwiseText {
  const uint8_t* data;
  size_t length;
};

/// `ids` is null after an error.
struct WattwiseTokens {
  size_t count;
  uint8_t truncated;
  int64_t* ids;
  int64_t* mask;
  int64_t* type_ids;
};

WattwiseTokenizer* wattwise_tokenizer_new(WattwiseText json, char** error);
void wattwise_tokenizer_free(WattwiseTokenizer* tokenizer);
WattwiseTokens wattwise_tokenizer_encode(const WattwiseTokenizer* tokenizer, WattwiseText text,
                                         size_t limit, char** error);
void wattwise_tokens_free(WattwiseTokens tokens);
int64_t wattwise_tokenizer_pad_id(const WattwiseTokenizer* tokenizer);
uint8_t wattwise_tokenizer_pad_left(const WattwiseTokenizer* tokenizer);
void wattwise_string_free(char* text);
}
