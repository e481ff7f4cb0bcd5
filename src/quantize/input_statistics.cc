// SPDX-License-Identifier: Apache-2.0
#include "quantize/input_statistics.h"

#include <fmt/format.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "engine/session.h"
#include "model/graph_edit.h"
#include "optimize/graph_editor.h"

namespace wattwise::quantize {
namespace {

/// Rows that are collected before they are added to the Gram matrix: enough that the product
/// outweighs reading and writing the matrix.
constexpr size_t kBatchRows = 512;

constexpr size_t kEnoughRowsPerColumn = 2;

/// So many rows, of so many samples, tell how large values get.
constexpr int64_t kEnoughRows = 1024;
constexpr size_t kFewestSamples = 16;

/// gram + x^T x for any sizes, run by the runtime, whose products are the fastest at hand.
model::Model gram_model() {
  const auto port = [](const char* name, std::vector<std::string> dims) {
    model::Value value;
    value.name = name;
    value.type = DataType::kFloat;
    value.shape.emplace();
    for (std::string& dim : dims) value.shape->push_back({std::nullopt, std::move(dim), {}});
    return value;
  };
  model::Model model;
  model.ir_version = 8;
  model.opset_imports = {{"", 13}};
  model.graph.name = "gram";
  model.graph.inputs = {port("x", {"rows", "width"}), port("gram", {"width", "width"})};
  model.graph.outputs = {port("sum", {"width", "width"})};
  model.graph.nodes = {optimize::make_node("Gemm", {"x", "x", "gram"}, "sum")};
  model.graph.nodes.back().set_attribute("transA", int64_t{1});
  return model;
}

/// Gathers the statistics of one value.
class Collector {
 public:
  /// `adder` runs gram_model(); null where no Gram matrix is wanted.
  Collector(const engine::Session* adder, size_t width) : adder_(adder), width_(width) {
    if (adder) statistics_.gram.assign(width * width, 0);
    statistics_.power.assign(width, 0);
    sums_.assign(width, 0);
    statistics_.largest.assign(width, 0);
  }

  Result<void> add(std::span<const float> values) {
    note_columns(values);
    if (!adder_) return {};
    while (!values.empty()) {
      const size_t room = kBatchRows * width_ - pending_.size();
      const auto part = values.first(std::min(room, values.size()));
      pending_.insert(pending_.end(), part.begin(), part.end());
      values = values.subspan(part.size());
      if (pending_.size() == kBatchRows * width_) WATTWISE_TRY(flush());
    }
    return {};
  }

  /// More rows would tell little.
  bool has_enough(size_t samples) const {
    const bool knows_extremes = samples >= InputStatistics::kMostExcerpts ||
                                (samples >= kFewestSamples && statistics_.rows >= kEnoughRows);
    return knows_extremes &&
           (!adder_ || statistics_.rows >= static_cast<int64_t>(kEnoughRowsPerColumn * width_));
  }

  Result<InputStatistics> finish() {
    WATTWISE_TRY(flush());
    for (const double sum : sums_) {
      statistics_.means.push_back(
          static_cast<float>(sum / static_cast<double>(std::max<int64_t>(statistics_.rows, 1))));
    }
    return std::move(statistics_);
  }

 private:
  using Row = Eigen::Array<float, 1, Eigen::Dynamic>;

  void note_columns(std::span<const float> values) {
    const auto width = static_cast<Eigen::Index>(width_);
    const size_t rows = values.size() / width_;
    Row low = Row::Zero(width);  // 0 is always among what 8 bits represent
    Row high = Row::Zero(width);
    Eigen::Map<Row> power(statistics_.power.data(), width);
    Row sums = Row::Zero(width);
    for (size_t row = 0; row < rows; ++row) {
      const Eigen::Map<const Row> x(values.data() + row * width_, width);
      low = low.min(x);
      high = high.max(x);
      power += x.square();
      sums += x;
    }
    for (size_t i = 0; i < width_; ++i) sums_[i] += sums[static_cast<Eigen::Index>(i)];
    Eigen::Map<Row> largest(statistics_.largest.data(), width);
    largest = largest.max(high).max(-low);
    statistics_.rows += static_cast<int64_t>(rows);
    if (statistics_.excerpts.size() == InputStatistics::kMostExcerpts || rows == 0) return;
    InputStatistics::Excerpt excerpt{{}, {low.begin(), low.end()}, {high.begin(), high.end()}};
    const size_t kept = std::min(rows, InputStatistics::kRowsPerExcerpt);
    for (size_t i = 0; i < kept; ++i) {
      const auto row = values.subspan((2 * i + 1) * rows / (2 * kept) * width_, width_);
      excerpt.rows.insert(excerpt.rows.end(), row.begin(), row.end());
    }
    statistics_.excerpts.push_back(std::move(excerpt));
  }

  Result<void> flush() {
    if (pending_.empty()) return {};
    const auto width = static_cast<int64_t>(width_);
    const int64_t rows = static_cast<int64_t>(pending_.size()) / width;
    TensorMap inputs;
    inputs["x"] = borrowed({rows, width}, pending_);
    inputs["gram"] = borrowed({width, width}, statistics_.gram);
    const TensorMap outputs = WATTWISE_TRY(adder_->run(inputs));
    const auto sum = outputs.at("sum").values<float>();
    std::copy(sum.begin(), sum.end(), statistics_.gram.begin());
    pending_.clear();
    return {};
  }

  /// A tensor over memory that outlives its use.
  static Tensor borrowed(std::vector<int64_t> shape, const std::vector<float>& values) {
    return {DataType::kFloat, std::move(shape), Bytes({}, std::as_bytes(std::span(values))), {}};
  }

  const engine::Session* adder_;
  size_t width_;
  InputStatistics statistics_;
  std::vector<double> sums_;
  std::vector<float> pending_;
};

/// One run of the model gives the values, by name; what is fed is not computed.
class ValueReader {
 public:
  static Result<ValueReader> open(const model::Model& model,
                                  const std::vector<ProductInput>& values,
                                  const CalibrationData& data) {
    std::vector<std::string> computed;
    for (const ProductInput& value : values) {
      const auto& inputs = model.graph.inputs;
      const auto same = [&](const model::Value& input) { return input.name == value.name; };
      if (std::none_of(inputs.begin(), inputs.end(), same)) computed.push_back(value.name);
    }
    ValueReader reader;
    if (computed.empty()) return reader;
    model::Model exposed = model::clone(model);
    model::compute_only(exposed.graph, computed);
    engine::SessionOptions options;
    options.memory_pattern = false;  // samples differ in shape
    options.map_weights = true;
    reader.session_ =
        WATTWISE_TRY(engine::open_session(data.runtime, data.env, exposed, "the model", options));
    return reader;
  }

  Result<TensorMap> read(const TensorMap& sample) const {
    TensorMap values = sample;
    if (!session_) return values;
    TensorMap inputs;
    for (const PortInfo& port : session_->inputs()) {
      if (const auto it = sample.find(port.name); it != sample.end()) inputs.insert(*it);
    }
    values.merge(WATTWISE_TRY(session_->run(inputs)));
    return values;
  }

 private:
  std::unique_ptr<engine::Session> session_;  // null where all values are fed
};

/// Whether every sample left finite numbers.
bool is_finite(const InputStatistics& statistics) {
  // A sum of squares keeps NaN and infinity.
  return std::all_of(statistics.power.begin(), statistics.power.end(),
                     [](float value) { return std::isfinite(value); });
}

}  // namespace

InputStatistics divide_columns(InputStatistics statistics, const std::vector<float>& divisors) {
  using Row = Eigen::Array<float, 1, Eigen::Dynamic>;
  const auto width = static_cast<Eigen::Index>(divisors.size());
  const Row factors = Eigen::Map<const Row>(divisors.data(), width).inverse();
  const auto scale = [&](std::vector<float>& values) {
    for (size_t at = 0; at + divisors.size() <= values.size(); at += divisors.size()) {
      Eigen::Map<Row>(values.data() + at, width) *= factors;
    }
  };
  for (auto* rows : {&statistics.means, &statistics.power, &statistics.largest, &statistics.gram}) {
    scale(*rows);
  }
  scale(statistics.power);  // it is of squares
  for (size_t row = 0; row * divisors.size() < statistics.gram.size(); ++row) {
    Eigen::Map<Row>(statistics.gram.data() + row * divisors.size(), width) *=
        factors[static_cast<Eigen::Index>(row)];
  }
  for (InputStatistics::Excerpt& excerpt : statistics.excerpts) {
    for (auto* rows : {&excerpt.rows, &excerpt.low, &excerpt.high}) scale(*rows);
  }
  return statistics;
}

std::vector<float> rows_of_excerpts(const InputStatistics& statistics) {
  std::vector<float> rows;
  for (const auto& excerpt : statistics.excerpts) {
    rows.insert(rows.end(), excerpt.rows.begin(), excerpt.rows.end());
  }
  return rows;
}

Result<std::vector<InputStatistics>> gather_input_statistics(
    const model::Model& model, const std::vector<ProductInput>& inputs, Detail detail,
    const MethodContext& context) {
  const CalibrationData& data = *context.calibration;
  const auto reader = WATTWISE_TRY(ValueReader::open(model, inputs, data));
  std::unique_ptr<engine::Session> adder;
  if (detail == Detail::kGram) {
    adder = WATTWISE_TRY(
        engine::open_session(data.runtime, data.env, gram_model(), "the Gram matrix", {}));
  }
  std::vector<Collector> collectors;
  for (const ProductInput& input : inputs) collectors.emplace_back(adder.get(), input.width);
  const auto has_enough = [&](size_t count) {
    return std::all_of(collectors.begin(), collectors.end(),
                       [&](const Collector& collector) { return collector.has_enough(count); });
  };
  const SampleReader next = data.open({});
  size_t count = 0;
  for (; !has_enough(count); ++count) {
    const auto sample = WATTWISE_TRY(next());
    if (!sample) break;
    const TensorMap found = WATTWISE_TRY(reader.read(*sample));
    for (size_t i = 0; i < inputs.size(); ++i) {
      WATTWISE_TRY(collectors[i].add(found.at(inputs[i].name).values<float>()));
    }
    WATTWISE_TRY(
        report_progress(context.progress, fmt::format("calibrating, sample {}", count + 1), 0.3));
  }
  if (count == 0) {
    return Error(ErrorCode::kInvalidArgument,
                 "the calibration data holds no sample; pass inputs like those of the application");
  }
  std::vector<InputStatistics> out;
  for (size_t i = 0; i < inputs.size(); ++i) {
    out.push_back(WATTWISE_TRY(collectors[i].finish()));
    if (is_finite(out.back())) continue;
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the calibration data makes {} NaN or infinite; pass samples that the "
                             "float model answers with numbers",
                             inputs[i].name));
  }
  return out;
}

}  // namespace wattwise::quantize
