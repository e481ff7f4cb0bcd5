// SPDX-License-Identifier: Apache-2.0
#include "measure/task_metric.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/text.h"
#include "measure/metrics.h"

namespace wattwise::measure {
namespace {

constexpr std::string_view kAccuracy = "accuracy";
constexpr std::string_view kAuroc = "auroc";

/// What an output is to a number of labels.
enum class Kind { kOther, kClassScores, kWholeNumbers, kValues };

bool is_whole(DataType type) {
  return type == DataType::kInt64 || type == DataType::kInt32 || type == DataType::kInt8 ||
         type == DataType::kUint8 || type == DataType::kBool;
}

Kind kind_of(const Tensor& output, size_t labels) {
  const auto wanted = static_cast<int64_t>(labels);
  if (output.type == DataType::kString) return Kind::kOther;
  if (output.element_count() == wanted) {
    return is_whole(output.type) ? Kind::kWholeNumbers : Kind::kValues;
  }
  const bool has_classes = !output.shape.empty() && output.shape.back() >= 2;
  const bool fits = has_classes && output.element_count() == wanted * output.shape.back();
  return fits ? Kind::kClassScores : Kind::kOther;
}

/// Whether the metric, if one is named, can be computed from such an output.
bool serves(Kind kind, const Tensor& output, std::string_view metric) {
  if (kind == Kind::kOther) return false;
  if (metric == kAuroc) return kind != Kind::kClassScores || output.shape.back() == 2;
  return metric.empty() || kind != Kind::kValues;
}

std::string describe(const TensorMap& outputs) {
  std::vector<std::string> parts;
  for (const auto& [name, tensor] : outputs) {
    std::vector<std::string> dims;
    for (const int64_t dim : tensor.shape) dims.push_back(std::to_string(dim));
    parts.push_back(fmt::format("{} {} [{}]", name, data_type_name(tensor.type), join(dims, ", ")));
  }
  return join(parts, ", ");
}

}  // namespace

Result<double> auroc(std::span<const double> scores, std::span<const double> labels) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] < scores[b]; });
  double positives = 0;
  double rank_sum = 0;
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    while (end < order.size() && scores[order[end]] == scores[order[begin]]) ++end;
    const double rank = static_cast<double>(begin + end + 1) / 2;  // ranks count from 1
    for (; begin < end; ++begin) {
      const double label = labels[order[begin]];
      if (label != 0 && label != 1) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("the area under the ROC curve needs labels 0 and 1, not {:g}: "
                                 "pass a metric of your own",
                                 label));
      }
      positives += label;
      rank_sum += label * rank;
    }
  }
  const double negatives = static_cast<double>(order.size()) - positives;
  if (positives == 0 || negatives == 0) {
    return Error(ErrorCode::kInvalidArgument,
                 "all labels are the same, so that nothing can be told apart: add samples of the "
                 "other class");
  }
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

Result<TaskScore> TaskScore::create(const std::string& metric) {
  TaskScore score;
  const size_t colon = std::min(metric.find(':'), metric.size());
  score.metric_ = to_lower(metric.substr(0, colon));
  if (colon < metric.size()) score.output_ = metric.substr(colon + 1);
  if (score.metric_.empty() || score.metric_ == kAccuracy || score.metric_ == kAuroc) return score;
  const std::vector<std::string> known = {std::string(kAccuracy), std::string(kAuroc)};
  return Error(ErrorCode::kInvalidArgument, fmt::format("the metric \"{}\" is unknown.{}", metric,
                                                        suggestion(score.metric_, known)));
}

Result<void> TaskScore::choose(const TensorMap& outputs, size_t labels) {
  std::vector<std::string> fitting;
  for (const auto& [name, tensor] : outputs) {
    if (!output_.empty() && name != output_) continue;
    if (serves(kind_of(tensor, labels), tensor, metric_)) fitting.push_back(name);
  }
  if (fitting.size() != 1) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} of the model's outputs fit a sample with {} labels{}: name one as "
                             "METRIC:OUTPUT, or pass a metric of your own; the outputs are {}",
                             fitting.empty() ? "none" : "several", labels,
                             metric_.empty() ? "" : " and " + metric_, describe(outputs)));
  }
  output_ = fitting.front();
  const bool values = kind_of(outputs.at(output_), labels) == Kind::kValues;
  if (metric_.empty()) metric_ = values ? kAuroc : kAccuracy;
  return {};
}

void TaskScore::add_decisions(const Tensor& output, std::span<const float> values,
                              std::span<const double> labels) {
  const size_t width = values.size() / labels.size();
  for (size_t i = 0; i < labels.size(); ++i) {
    const auto row = values.subspan(i * width, width);
    if (metric_ == kAuroc) {
      scores_.push_back(width == 1 ? row[0] : row[1] - row[0]);
      labels_.push_back(labels[i]);
      continue;
    }
    const double decision =
        is_whole(output.type) && width == 1
            ? row[0]
            : static_cast<double>(std::max_element(row.begin(), row.end()) - row.begin());
    right_ += decision == labels[i] ? 1 : 0;
    ++total_;
  }
}

Result<void> TaskScore::add(const TensorMap& outputs, std::span<const double> labels) {
  if (labels.empty()) {
    return Error(ErrorCode::kInvalidArgument,
                 "it has no label: add labels (docs/formats/datasets.md), or pass a metric of your "
                 "own");
  }
  if (total_ == 0 && scores_.empty()) WATTWISE_TRY(choose(outputs, labels.size()));
  const auto it = outputs.find(output_);
  if (it == outputs.end() || !serves(kind_of(it->second, labels.size()), it->second, metric_)) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("its {} labels do not fit the outputs {}",
                                                          labels.size(), describe(outputs)));
  }
  const auto values = WATTWISE_TRY(as_floats(it->second));
  add_decisions(it->second, values, labels);
  return {};
}

Result<double> TaskScore::value() const {
  if (metric_ == kAuroc) return auroc(scores_, labels_);
  return static_cast<double>(right_) / static_cast<double>(total_);
}

}  // namespace wattwise::measure
