// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>

#include "core/error_table.h"
#include "core/json.h"
#include "wattwise/result.h"

namespace wattwise::python {

/// Raises the Python exception that the error table names.
[[noreturn]] inline void raise(const Error& error) {
  const auto errors = nanobind::module_::import_("wattwise.errors");
  const std::string name(error_row(error.code()).python_exception);
  const nanobind::object type = errors.attr(name.c_str());
  PyErr_SetString(type.ptr(), valid_utf8(error.to_string()).c_str());
  throw nanobind::python_error();
}

template <typename T>
T unwrap(Result<T> result) {
  if (!result) raise(result.error());
  return std::move(*result);
}

inline void unwrap(Result<void> result) {
  if (!result) raise(result.error());
}

}  // namespace wattwise::python
