// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "core/env.h"

namespace wattwise::input {

/// What a file turned out to be.
enum class FileKind { kArray, kArchive, kImage, kSound };

/// Whether a string is the path of a file that can be read, judged by the file's first bytes.
/// Absent for any other text. kNotFound for what looks like such a path but is not there, and
/// kUnsupported for a file of another kind.
Result<std::optional<FileKind>> identify_file(const Env& env, const std::string& text);

}  // namespace wattwise::input
