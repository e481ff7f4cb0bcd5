// SPDX-License-Identifier: Apache-2.0
#include "input/tokenizer.h"

#include <fmt/format.h>

#include <mutex>
#include <optional>
#include <utility>

#if WATTWISE_HAVE_TOKENIZER
#include "input/tokenizer_abi.h"
#endif

namespace wattwise::input {
namespace {

using SharedTokenizer = std::shared_ptr<const Tokenizer>;

#if WATTWISE_HAVE_TOKENIZER

/// An error text of the Rust side, freed with the object.
class ErrorText {
 public:
  ErrorText() = default;
  ErrorText(const ErrorText&) = delete;
  ErrorText& operator=(const ErrorText&) = delete;
  ~ErrorText() { wattwise_string_free(text_); }
  char** slot() { return &text_; }
  std::string_view view() const { return text_ ? text_ : "unknown reason"; }

 private:
  char* text_ = nullptr;
};

WattwiseText to_abi(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

/// Owns a tokenizer of the Rust side.
class RustTokenizer final : public Tokenizer {
 public:
  RustTokenizer(WattwiseTokenizer* handle, std::string source)
      : handle_(handle), source_(std::move(source)) {}
  RustTokenizer(const RustTokenizer&) = delete;
  RustTokenizer& operator=(const RustTokenizer&) = delete;
  ~RustTokenizer() override { wattwise_tokenizer_free(handle_); }

  Result<TokenIds> encode(std::string_view text, int64_t max_tokens) const override {
    const auto limit = static_cast<size_t>(max_tokens < 0 ? 0 : max_tokens);
    ErrorText error;
    const WattwiseTokens tokens =
        wattwise_tokenizer_encode(handle_, to_abi(text), limit, error.slot());
    if (!tokens.ids) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("cannot tokenize a text of {} bytes with {}: {}; pass UTF-8 text",
                               text.size(), source_, error.view()));
    }
    TokenIds result{{tokens.ids, tokens.ids + tokens.count},
                    {tokens.mask, tokens.mask + tokens.count},
                    {tokens.type_ids, tokens.type_ids + tokens.count},
                    tokens.truncated != 0};
    wattwise_tokens_free(tokens);
    return result;
  }

  Result<Padding> padding() const override {
    return Padding{wattwise_tokenizer_pad_id(handle_), wattwise_tokenizer_pad_left(handle_) != 0};
  }

 private:
  WattwiseTokenizer* handle_;
  std::string source_;
};

Result<SharedTokenizer> parse_tokenizer(const Bytes& json, const std::string& path) {
  ErrorText error;
  WattwiseTokenizer* handle = wattwise_tokenizer_new(to_abi(json.as_text()), error.slot());
  if (!handle) {
    return Error(ErrorCode::kCorrupt,
                 fmt::format("{} is not a usable tokenizer: {}; copy tokenizer.json again from "
                             "where the model came from",
                             path, error.view()));
  }
  return SharedTokenizer(std::make_shared<RustTokenizer>(handle, path));
}

#else

Result<SharedTokenizer> parse_tokenizer(const Bytes&, const std::string& path) {
  return Error(ErrorCode::kUnsupported,
               fmt::format("cannot read {}: this build has no tokenizer; install Rust's cargo and "
                           "build again, or pass token ids as arrays",
                           path));
}

#endif

/// Parses on first use.
class LazyTokenizer final : public Tokenizer {
 public:
  LazyTokenizer(Bytes json, std::string path) : json_(std::move(json)), path_(std::move(path)) {}

  Result<TokenIds> encode(std::string_view text, int64_t max_tokens) const override {
    return WATTWISE_TRY(parsed())->encode(text, max_tokens);
  }
  Result<Padding> padding() const override { return WATTWISE_TRY(parsed())->padding(); }

 private:
  Result<SharedTokenizer> parsed() const {
    std::call_once(once_, [this] {
      tokenizer_.emplace(parse_tokenizer(json_, path_));
      json_ = {};
    });
    return *tokenizer_;
  }

  mutable std::once_flag once_;
  mutable Bytes json_;
  mutable std::optional<Result<SharedTokenizer>> tokenizer_;
  std::string path_;
};

}  // namespace

Result<SharedTokenizer> load_tokenizer(const Env& env, const std::string& path) {
  return parse_tokenizer(WATTWISE_TRY(env.map_file(path)), path);
}

Result<SharedTokenizer> load_tokenizer_lazily(const Env& env, const std::string& path) {
  return SharedTokenizer(std::make_shared<LazyTokenizer>(WATTWISE_TRY(env.map_file(path)), path));
}

}  // namespace wattwise::input
