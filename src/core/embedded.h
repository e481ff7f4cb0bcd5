// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace wattwise {

/// A file of data/ as it was at build time.
struct EmbeddedFile {
  std::string_view name;  ///< relative to data/, such as "profiles/balanced.json"
  std::string_view content;
};

/// All embedded files, sorted by name. Lives as long as the program.
std::span<const EmbeddedFile> embedded_files();

}  // namespace wattwise
