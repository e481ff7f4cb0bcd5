// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "wattwise/result.h"

namespace wattwise {

/// One row per ErrorCode: the only place that maps a failure to the outside world.
struct ErrorRow {
  ErrorCode code;
  std::string_view name;              ///< as written in JSON and logs
  std::string_view sentence;          ///< for people
  int exit_code;                      ///< of the command line; 2 is also wrong usage
  std::string_view python_exception;  ///< subclass of wattwise.Error
  int http_status;
};

inline constexpr std::array<ErrorRow, 8> kErrorTable = {{
    {ErrorCode::kInvalidArgument, "invalid_argument", "The request cannot work as given.", 2,
     "InvalidArgumentError", 400},
    {ErrorCode::kNotFound, "not_found", "Something that was named does not exist.", 3,
     "NotFoundError", 404},
    {ErrorCode::kUnsupported, "unsupported", "Valid, but not supported here.", 4,
     "UnsupportedError", 422},
    {ErrorCode::kCorrupt, "corrupt", "A file is damaged or not what it claims to be.", 5,
     "CorruptError", 422},
    {ErrorCode::kIo, "io", "The system refused to read or write.", 6, "IoError", 500},
    {ErrorCode::kUnavailable, "unavailable", "A needed part is missing or busy.", 7,
     "UnavailableError", 503},
    {ErrorCode::kExhausted, "exhausted", "Memory, disk or time ran out, or it was cancelled.", 8,
     "ExhaustedError", 507},
    {ErrorCode::kInternal, "internal", "WattWise broke its own promise; please report it.", 70,
     "InternalError", 500},
}};

/// The row of `code`.
const ErrorRow& error_row(ErrorCode code);

}  // namespace wattwise
