// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/env.h"
#include "wattwise/tensor.h"
#include "wattwise/types.h"

namespace wattwise::input {

/// A NumPy .npy file. Row-major, little-endian arrays are a view of the mapped file; column-major
/// and big-endian ones are copied into that form. kCorrupt for a damaged or hostile header,
/// kUnsupported for object, string and structured arrays.
Result<Tensor> read_npy(const Env& env, const std::string& path);

/// The same for bytes that are already at hand; `source` names them in errors.
Result<Tensor> parse_npy(const Bytes& bytes, const std::string& source);

/// A NumPy .npz file (stored or deflated): name -> array.
Result<TensorMap> read_npz(const Env& env, const std::string& path);

/// An .npy file (version 1, row-major) as bytes; `path` names it in errors. kUnsupported for types
/// that NumPy lacks.
Result<std::string> format_npy(const std::string& path, const Tensor& tensor);

/// Writes an .npz file (stored), in place: for folders that no one else looks into.
Result<void> write_npz(Env& env, const std::string& path, const TensorMap& arrays);

/// Writes an .npy file atomically. kUnsupported for types NumPy lacks.
Result<void> write_npy(Env& env, const std::string& path, const Tensor& tensor);

}  // namespace wattwise::input
