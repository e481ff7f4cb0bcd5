// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/env.h"

namespace wattwise::device {

/// One kind of reading that a kernel offers.
struct SensorRow {
  std::string_view subject;    ///< for people
  std::string_view directory;  ///< where its entries are listed, below the root
  std::string_view prefix;     ///< of entry names that count; "" for all
  std::string_view file;       ///< the reading, below the entry
  double scale;                ///< raw number x scale = the unit of the subject
  std::string_view unit;
  std::string_view unlock;  ///< what would make it available
};

/// Every sensor that snapshot and doctor know.
std::span<const SensorRow> sensor_table();

/// A number from a one-line file; absent when it is missing, unreadable or no number.
std::optional<double> read_number(const Env& env, const std::string& path);
/// The trimmed content of a one-line file; absent when missing or unreadable.
std::optional<std::string> read_line(const Env& env, const std::string& path);

/// `root` + an absolute path of the kernel's.
std::string below(const std::string& root, std::string_view path);

/// Entries of a folder whose names start with `prefix`, as paths; empty when it is missing.
std::vector<std::string> entries(const Env& env, const std::string& folder,
                                 std::string_view prefix);

}  // namespace wattwise::device
