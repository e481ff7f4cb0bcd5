// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/graph.h"
#include "quantize/quantize.h"

namespace wattwise::quantize {

/// A value of the main graph that matrices multiply, [any, width] once its leading axes are one.
struct ProductInput {
  std::string name;
  size_t width = 0;
};

/// What it looks like over many samples.
struct InputStatistics {
  int64_t rows = 0;            ///< of all samples
  std::vector<float> means;    ///< of each column
  std::vector<float> power;    ///< sum of squares of each column
  std::vector<float> largest;  ///< max |x| of each column
  std::vector<float> gram;     ///< X^T X, [width, width]; empty unless asked for

  /// A few rows of one sample, and the smallest and largest value of each column in all its rows,
  /// 0 included.
  struct Excerpt {
    std::vector<float> rows;  ///< [any, width]
    std::vector<float> low, high;
  };
  std::vector<Excerpt> excerpts;  ///< of the first kMostExcerpts samples

  static constexpr size_t kMostExcerpts = 64;
  static constexpr size_t kRowsPerExcerpt = 4;
};

/// The same of the values with their columns divided by these.
InputStatistics divide_columns(InputStatistics statistics, const std::vector<float>& divisors);

/// Statistics of values by their names.
using StatisticsTable = std::map<std::string, InputStatistics>;

/// The rows of all excerpts in one array, [any, width].
std::vector<float> rows_of_excerpts(const InputStatistics& statistics);

/// A thousand rows, of 16 samples at least and of 64 at most, tell how large values get; Gram
/// matrices need more, until they have seen each input twice as often as it is wide.
enum class Detail { kExtremes, kGram };

/// Runs the model on samples of the context's calibration data and gathers statistics of these
/// values, in their order. Memory grows with the square of the widths, not with the number of
/// samples. kInvalidArgument without samples, and for values that are not finite.
Result<std::vector<InputStatistics>> gather_input_statistics(
    const model::Model& model, const std::vector<ProductInput>& inputs, Detail detail,
    const MethodContext& context);

}  // namespace wattwise::quantize
