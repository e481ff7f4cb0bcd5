// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "wattwise/deployment.h"

namespace wattwise::cli {

/// Command-line inputs: each "NAME=VALUE" (NAME a word of letters, digits, '_', '.', ':' or '/')
/// or a bare VALUE, which may stand alone only. A value is a text, a file's path, or a JSON array
/// of numbers such as [1, 2, 3], taken as int64 if all are whole, else as float, or of texts.
Result<InferenceInputs> parse_inputs(const std::vector<std::string>& words);

/// Words of the form NAME=VALUE, as values by name; `option` is what they were given to.
Result<std::map<std::string, std::string>> parse_assignments(const std::vector<std::string>& words,
                                                             std::string_view option);

}  // namespace wattwise::cli
