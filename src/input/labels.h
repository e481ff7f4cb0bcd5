// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/env.h"
#include "wattwise/tensor.h"
#include "wattwise/types.h"

namespace wattwise::input {

/// The fields of a line; a field in double quotes may hold the separator, and "" for a quote.
std::vector<std::string> split_fields(std::string_view line, char separator);

/// Lines that are not blank, without a byte order mark and carriage returns. Views of `content`.
std::vector<std::string_view> split_lines(std::string_view content);

/// Labels as numbers.
struct Labels {
  std::vector<double> values;            ///< one a sample; empty where there are none
  std::vector<std::string> class_names;  ///< of labels that are words
};

/// Words that are all numbers as these numbers; else each word's position among all, sorted.
Labels number_labels(const std::vector<std::string>& words);

/// Labels of the files `names` from a table of file name and label, separated by a tab, a comma or
/// a blank; a first line that names no file is a heading. kInvalidArgument for a file without label
/// and a label without file.
Result<Labels> read_label_table(const Env& env, const std::string& path,
                                const std::vector<std::string>& names);

/// Labels of `count` samples in their order: from an .npy file, or a label a line.
Result<Labels> read_label_list(const Env& env, const std::string& path, size_t count);

/// The array that holds labels: "label" or "labels", where no input has that name. Null if none.
const Tensor* find_labels(const TensorMap& arrays, const std::vector<PortInfo>& ports);

/// All numbers of an array. kUnsupported for texts.
Result<std::vector<double>> to_numbers(const Tensor& array);

}  // namespace wattwise::input
