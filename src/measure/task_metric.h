// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "wattwise/result.h"
#include "wattwise/types.h"

namespace wattwise::measure {

/// Share of score pairs (one of label 1, one of label 0) that are ordered rightly, ties half: the
/// area under the ROC curve, by rank sums (Hanley and McNeil 1982). kInvalidArgument unless the
/// labels are zeros and ones and both occur. Equal lengths.
Result<double> auroc(std::span<const double> scores, std::span<const double> labels);

/// Scores a model sample by sample; of the outputs it keeps a count or one number a decision.
/// An output can be scored if it has a row of class scores for each label, or one value for each.
/// - accuracy: share of labels that the largest score of a row, or a whole number, hits;
/// - auroc: of single values, or of the second score minus the first.
class TaskScore {
 public:
  /// `metric` is "accuracy" or "auroc", which may be followed by ":" and an output's name, or "":
  /// accuracy where there are class scores or whole numbers, else auroc.
  static Result<TaskScore> create(const std::string& metric);

  /// kInvalidArgument for a sample without labels, or outputs of which none or several fit.
  Result<void> add(const TensorMap& outputs, std::span<const double> labels);
  /// Precondition: something was added.
  Result<double> value() const;
  /// "accuracy of logits"; known once something was added.
  std::string name() const { return metric_ + " of " + output_; }

 private:
  Result<void> choose(const TensorMap& outputs, size_t labels);
  void add_decisions(const Tensor& output, std::span<const float> values,
                     std::span<const double> labels);

  std::string metric_;  ///< empty until it is known
  std::string output_;
  size_t right_ = 0;
  size_t total_ = 0;
  std::vector<double> scores_;
  std::vector<double> labels_;
};

}  // namespace wattwise::measure
