// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cassert>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace wattwise {

/// The kinds of failure. Each has one sentence, one exit code, one Python exception and one HTTP
/// status, all in the table `kErrorTable` of core/error_table.h.
enum class ErrorCode {
  kInvalidArgument,  ///< the caller passed something that can never work
  kNotFound,         ///< a file, model, key or name does not exist
  kUnsupported,      ///< valid, but this build or this device cannot do it
  kCorrupt,          ///< a file's content is damaged or hostile
  kIo,               ///< the operating system refused to read or write
  kUnavailable,      ///< a part that is needed is missing or busy; may work later
  kExhausted,        ///< out of memory, disk or time; also: cancelled
  kInternal,         ///< a broken promise inside WattWise
};

/// A failure: what was tried, on what, and what to do next.
/// `context` holds what callers added while it climbed, innermost first.
class Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }
  const std::vector<std::string>& context() const { return context_; }

  /// Adds where the failure passed through, such as "preparing model.onnx".
  Error with_context(std::string where) && {
    context_.push_back(std::move(where));
    return std::move(*this);
  }

  /// One line: outermost context first, the message last.
  std::string to_string() const {
    std::string line;
    for (auto it = context_.rbegin(); it != context_.rend(); ++it) line += *it + ": ";
    return line + message_;
  }

 private:
  ErrorCode code_;
  std::string message_;
  std::vector<std::string> context_;
};

/// A value or an Error; must be looked at. Member names follow std::expected.
/// Thread rule: like a plain value.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(runtime/explicit)
  Result(Error error)
      : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(runtime/explicit)

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  /// Precondition: has_value().
  T& value() & { return assert(has_value()), *std::get_if<0>(&state_); }
  const T& value() const& { return assert(has_value()), *std::get_if<0>(&state_); }
  T&& value() && { return assert(has_value()), std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  /// Precondition: !has_value().
  Error& error() & { return assert(!has_value()), *std::get_if<1>(&state_); }
  const Error& error() const& { return assert(!has_value()), *std::get_if<1>(&state_); }
  Error&& error() && { return assert(!has_value()), std::move(*std::get_if<1>(&state_)); }

  /// The value, or `fallback` after a failure that the caller has decided to accept.
  T value_or(T fallback) && { return has_value() ? std::move(*this).value() : std::move(fallback); }

 private:
  std::variant<T, Error> state_;
};

/// Success without a value: `return {};`.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : state_(std::move(error)) {}  // NOLINT(runtime/explicit)

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  void value() const { assert(has_value()); }
  Error& error() & { return assert(!has_value()), *std::get_if<1>(&state_); }
  const Error& error() const& { return assert(!has_value()), *std::get_if<1>(&state_); }
  Error&& error() && { return assert(!has_value()), std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<std::monostate, Error> state_;
};

}  // namespace wattwise

/// Evaluates a Result: its value on success, else returns its Error from the enclosing function.
///     auto bytes = WATTWISE_TRY(env.read_file(path));
#define WATTWISE_TRY(...)                                               \
  __extension__({                                                       \
    auto wattwise_try_result = (__VA_ARGS__);                           \
    if (!wattwise_try_result.has_value())                               \
      return ::wattwise::Error(std::move(wattwise_try_result).error()); \
    std::move(wattwise_try_result).value();                             \
  })
