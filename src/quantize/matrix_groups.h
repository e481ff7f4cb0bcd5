// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <unordered_set>
#include <vector>

#include "quantize/input_statistics.h"
#include "quantize/weights.h"

namespace wattwise::quantize {

/// Matrices that multiply the same value of the main graph.
struct MatrixGroup {
  ProductInput input;
  std::vector<const Weight*> weights;  ///< [width, columns] each, read by MatMul nodes only
};

/// Memory for Gram matrices.
inline constexpr size_t kGramBytes = size_t{512} << 20;

/// The groups of the weights whose inputs calibration can see, in order of first use. A decision
/// tells of each matrix that it cannot see, in an inner graph or read with several inputs, and of
/// each whose input is too wide for a Gram matrix of kGramBytes.
std::vector<MatrixGroup> group_matrices(const model::Model& model,
                                        const std::vector<Weight>& weights,
                                        std::vector<Decision>& decisions);

/// Memory for that of a group.
size_t gram_bytes(const MatrixGroup& group);

/// Where Gram matrices come from: what is known with one is not gathered.
struct GramSource {
  const MethodContext& context;
  const StatisticsTable& known;
};

/// Gathers Gram matrices and hands each group its own, a few groups at a time, so that they take no
/// more than kGramBytes. Returns the weights it visited.
using VisitGroup = std::function<void(const MatrixGroup& group, const InputStatistics& statistics)>;
Result<std::unordered_set<const Weight*>> visit_with_grams(const model::Model& model,
                                                           const std::vector<MatrixGroup>& groups,
                                                           const GramSource& source,
                                                           const VisitGroup& visit);

}  // namespace wattwise::quantize
