// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/core.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wattwise {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

/// "debug", "info", "warning", "error".
std::string_view log_level_name(LogLevel level);

/// One value of a log line, already text.
struct LogField {
  std::string key;
  std::string value;
};

/// A log line as data; the sink decides how it looks.
struct LogRecord {
  LogLevel level;
  std::string_view module;  ///< "engine", "quantize"; static storage
  std::string message;
  std::vector<LogField> fields;
};

using LogSink = std::function<void(const LogRecord&)>;

/// Makes a field from anything fmt can print.
template <typename T>
LogField field(std::string_view key, const T& value) {
  return {std::string(key), fmt::format("{}", value)};
}

/// A structured log. The library has no default output: without a sink nothing is formatted.
/// Thread rule: log() may be called from any thread; the sink must cope with that.
class Logger {
 public:
  Logger() = default;
  Logger(LogSink sink, LogLevel lowest) : sink_(std::move(sink)), lowest_(lowest) {}

  bool enabled(LogLevel level) const { return sink_ && level >= lowest_; }

  /// `make_fields` runs only if the level is enabled.
  template <typename... Fields>
  void log(LogLevel level, std::string_view module, std::string_view message,
           const Fields&... fields) const {
    if (enabled(level)) sink_({level, module, std::string(message), {fields...}});
  }

 private:
  LogSink sink_;
  LogLevel lowest_ = LogLevel::kWarning;
};

}  // namespace wattwise
