// SPDX-License-Identifier: Apache-2.0
#include "quantize/matrix_groups.h"

#include <algorithm>

#include "quantize/store_int8.h"

namespace wattwise::quantize {
namespace {

/// Why calibration cannot see what a matrix multiplies; "" if it can.
std::string grouping_obstacle(const model::Model& model, const Weight& weight) {
  const std::string& input = weight.readers.front().node->inputs[0];
  for (const WeightReader& reader : weight.readers) {
    if (reader.graph != &model.graph)
      return "it is read in an inner graph, whose values are hidden";
    if (reader.node->inputs[0] != input) return "it multiplies several values";
  }
  return "";
}

}  // namespace

size_t gram_bytes(const MatrixGroup& group) {
  return group.input.width * group.input.width * sizeof(float);
}

std::vector<MatrixGroup> group_matrices(const model::Model& model,
                                        const std::vector<Weight>& weights,
                                        std::vector<Decision>& decisions) {
  std::vector<MatrixGroup> groups;
  for (const Weight& weight : weights) {
    if (!is_matrix(weight)) continue;
    if (const std::string why = grouping_obstacle(model, weight); !why.empty()) {
      decisions.push_back({"round_to_nearest", weight.name, why});
      continue;
    }
    const std::string& input = weight.readers.front().node->inputs[0];
    if (weight.dim(0) * weight.dim(0) * sizeof(float) > kGramBytes) {
      decisions.push_back({"round_to_nearest", weight.name, "its input is too wide for GPTQ"});
      continue;
    }
    const auto same = [&](const MatrixGroup& group) { return group.input.name == input; };
    auto it = std::find_if(groups.begin(), groups.end(), same);
    if (it == groups.end()) it = groups.insert(it, MatrixGroup{{input, weight.dim(0)}, {}});
    it->weights.push_back(&weight);
  }
  return groups;
}

Result<std::unordered_set<const Weight*>> visit_with_grams(const model::Model& model,
                                                           const std::vector<MatrixGroup>& groups,
                                                           const GramSource& source,
                                                           const VisitGroup& visit) {
  const auto& [context, known] = source;
  std::unordered_set<const Weight*> visited;
  const auto hand_over = [&, &progress = context.progress](
                             const MatrixGroup& group,
                             const InputStatistics& statistics) -> Result<void> {
    WATTWISE_TRY(report_progress(progress, "rounding " + group.input.name, 0.4));
    visit(group, statistics);
    visited.insert(group.weights.begin(), group.weights.end());
    return {};
  };
  for (size_t next = 0; next < groups.size();) {
    std::vector<ProductInput> inputs;
    std::vector<const MatrixGroup*> batch;
    size_t bytes = 0;
    for (; next < groups.size(); ++next) {
      if (const auto it = known.find(groups[next].input.name); it != known.end()) {
        WATTWISE_TRY(hand_over(groups[next], it->second));
        continue;
      }
      bytes += gram_bytes(groups[next]);
      if (bytes > kGramBytes) break;
      inputs.push_back(groups[next].input);
      batch.push_back(&groups[next]);
    }
    if (batch.empty()) break;
    const auto statistics =
        WATTWISE_TRY(gather_input_statistics(model, inputs, Detail::kGram, context));
    for (size_t i = 0; i < batch.size(); ++i) {
      WATTWISE_TRY(hand_over(*batch[i], statistics[i]));
    }
  }
  return visited;
}

}  // namespace wattwise::quantize
