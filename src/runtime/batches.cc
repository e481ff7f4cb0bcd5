// SPDX-License-Identifier: Apache-2.0
#include "runtime/batches.h"

#include <fmt/format.h>

#include <algorithm>

#include "input/prepare_inputs.h"

namespace wattwise::runtime {
namespace {

bool counts_rows(const Tensor& tensor, int64_t rows) {
  return !tensor.shape.empty() && tensor.shape[0] == rows;
}

/// Rows `first` to `first + count` of every tensor that has `items` rows; a view, not a copy.
TensorMap rows_of(const TensorMap& inputs, int64_t items, int64_t first, int64_t count) {
  TensorMap part;
  for (const auto& [name, tensor] : inputs) {
    Tensor rows = tensor;
    if (counts_rows(tensor, items)) {
      const auto begin = static_cast<size_t>(first);
      const size_t row_bytes = tensor.data.size() / static_cast<size_t>(items);
      rows.shape[0] = count;
      rows.data = tensor.data.slice(begin * row_bytes, static_cast<size_t>(count) * row_bytes);
      if (!tensor.strings.empty()) {
        const size_t row_strings = tensor.strings.size() / static_cast<size_t>(items);
        const auto start = tensor.strings.begin() + static_cast<int64_t>(begin * row_strings);
        rows.strings.assign(start, start + count * static_cast<int64_t>(row_strings));
      }
    }
    part[name] = std::move(rows);
  }
  return part;
}

}  // namespace

int64_t batch_size(const InferenceOptimizationConfig& config) {
  return config.batch_inference_when_possible ? config.optimal_batch_size : 1;
}

Result<TensorMap> run_in_batches(const engine::Session& session, const TensorMap& inputs,
                                 const BatchRun& run, std::vector<Decision>& decisions) {
  if (run.items <= run.size) return session.run(inputs);
  std::vector<TensorMap> outputs;
  for (int64_t first = 0; first < run.items; first += run.size) {
    const int64_t count = std::min(run.size, run.items - first);
    outputs.push_back(WATTWISE_TRY(session.run(rows_of(inputs, run.items, first, count))));
    for (const auto& [name, output] : outputs.back()) {
      if (counts_rows(output, count)) continue;
      decisions.push_back(
          {"keep_batch", name,
           fmt::format("the output does not count rows on axis 0: all {} ran at once", run.items)});
      return session.run(inputs);
    }
  }
  decisions.push_back({"split_batch", fmt::format("{} items", run.items),
                       fmt::format("ran in {} parts of up to {}", outputs.size(), run.size)});
  return input::stack(outputs);
}

}  // namespace wattwise::runtime
