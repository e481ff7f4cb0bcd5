// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "wattwise/sample.h"

namespace wattwise::cli {

/// A metric that a program computes: `command`, a line of the shell, gets one more word, the path
/// of an .npz file, and prints the metric as the last thing on stdout. The file holds an array of
/// every output, the samples one after the other along the first axis (or, where shapes differ,
/// "<output>/<index>" for each sample), and all labels as "labels" where there are any.
TaskMetric metric_command(const std::string& command);

}  // namespace wattwise::cli
