// SPDX-License-Identifier: Apache-2.0
#include "quantize/calibrate.h"

#include <fmt/format.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <set>

#include "engine/session.h"
#include "model/graph_edit.h"

namespace wattwise::quantize {
namespace {

/// Samples among which a small one is looked for.
constexpr size_t kSmallAmong = 16;

/// Of a histogram that so many samples fill, four times as many move its quantiles by no more than
/// the steps in which range_methods() look for the ends, where the error is flat besides. From
/// then on every fourth is run, so that the whole of the data has its say even if it is sorted.
constexpr int64_t kAllOfFirst = 16;
constexpr int64_t kThenEvery = 4;

/// The session's inputs among the sample's: what only left-out nodes read is no input any more.
TensorMap inputs_for(const engine::Session& session, const TensorMap& sample) {
  TensorMap inputs;
  for (const PortInfo& port : session.inputs()) {
    if (const auto it = sample.find(port.name); it != sample.end()) inputs.insert(*it);
  }
  return inputs;
}

/// The model that computes these values and nothing else. Values that are fed need no computing.
class Observer {
 public:
  static Result<Observer> open(const model::Model& model, const std::vector<std::string>& values,
                               const CalibrationData& data) {
    Observer observer;
    std::vector<std::string> computed;
    const auto& inputs = model.graph.inputs;
    for (const std::string& name : values) {
      const auto named = [&](const model::Value& input) { return input.name == name; };
      const bool is_fed = std::any_of(inputs.begin(), inputs.end(), named);
      (is_fed ? observer.fed_ : computed).push_back(name);
    }
    model::Model exposed = model::clone(model);
    model::compute_only(exposed.graph, computed);
    engine::SessionOptions options;
    options.memory_pattern = false;  // samples differ in shape
    options.map_weights = true;
    observer.session_ =
        WATTWISE_TRY(engine::open_session(data.runtime, data.env, exposed, "the model", options));
    return observer;
  }

  Result<TensorMap> look_at(const TensorMap& sample) const {
    TensorMap values = WATTWISE_TRY(session_->run(inputs_for(*session_, sample)));
    for (const std::string& name : fed_) {
      const auto given = sample.find(name);
      if (given == sample.end()) {
        return Error(ErrorCode::kInvalidArgument,
                     "a sample of the calibration data has no input \"" + name + "\"");
      }
      values[name] = given->second;
    }
    return values;
  }

 private:
  std::unique_ptr<engine::Session> session_;
  std::vector<std::string> fed_;
};

/// Adds up each channel of a value, samples of any size.
class ChannelSums {
 public:
  void add(const Tensor& tensor) {
    const auto channels = static_cast<size_t>(tensor.shape[1]);
    const auto values = tensor.values<float>();
    sums_.resize(channels);
    squares_.resize(channels);
    if (values.empty()) return;
    const size_t images = static_cast<size_t>(tensor.shape[0]);
    const size_t size = values.size() / images / channels;
    const float* x = values.data();
    for (size_t i = 0; i < images * channels; ++i, x += size) {
      const Eigen::Map<const Eigen::ArrayXf> part(x, static_cast<Eigen::Index>(size));
      sums_[i % channels] += part.sum();
      squares_[i % channels] += part.square().sum();
    }
    count_ += images * size;
    sizes_.assign(tensor.shape.begin() + 2, tensor.shape.end());
  }

  ChannelMean mean() const {
    const bool finite =
        std::all_of(squares_.begin(), squares_.end(), [](double x) { return std::isfinite(x); });
    if (count_ == 0 || !finite) return {};
    return {per_position(sums_), per_position(squares_), sizes_};
  }

 private:
  std::vector<float> per_position(const std::vector<double>& sums) const {
    std::vector<float> out;
    for (const double sum : sums) {
      out.push_back(static_cast<float>(sum / static_cast<double>(count_)));
    }
    return out;
  }

  std::vector<double> sums_;
  std::vector<double> squares_;
  std::vector<int64_t> sizes_;
  size_t count_ = 0;  ///< positions
};

bool has_nan(std::span<const float> values) {
  return std::any_of(values.begin(), values.end(), [](float x) { return std::isnan(x); });
}

Error no_sample() {
  return Error(ErrorCode::kInvalidArgument,
               "the calibration data holds no sample; pass inputs like those of the application");
}

}  // namespace

Result<Observations> gather_activations(const model::Model& model, const ObservedValues& observed,
                                        const CalibrationData& data, const Progress& progress) {
  Observations out;
  std::map<std::string, ChannelSums> sums;
  std::set<std::string> all(observed.values.begin(), observed.values.end());
  all.insert(observed.by_channel.begin(), observed.by_channel.end());
  const Observer observer = WATTWISE_TRY(Observer::open(model, {all.begin(), all.end()}, data));
  SampleReader next = data.open();
  int64_t count = 0;
  for (;; ++count) {
    const auto sample = WATTWISE_TRY(next());
    if (!sample) break;
    if (!observed.every_sample && count >= kAllOfFirst && count % kThenEvery != 0) continue;
    const TensorMap seen = WATTWISE_TRY(observer.look_at(*sample));
    for (const std::string& name : observed.values) {
      const auto values = seen.at(name).values<float>();
      if (!out.activations[name].add(values) && has_nan(values)) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("sample {} of the calibration data makes {} NaN; take it out",
                                 count + 1, name));
      }
    }
    for (const std::string& name : observed.by_channel) sums[name].add(seen.at(name));
    WATTWISE_TRY(report_progress(progress, fmt::format("calibrating, sample {}", count + 1), 0.3));
  }
  if (count == 0) return no_sample();
  for (const auto& [name, sum] : sums) out.means[name] = sum.mean();
  return out;
}

Result<TensorMap> small_sample(const CalibrationData& data) {
  std::vector<std::pair<int64_t, TensorMap>> samples;
  const SampleReader next = data.open();
  while (samples.size() < kSmallAmong) {
    auto sample = WATTWISE_TRY(next());
    if (!sample) break;
    int64_t elements = 0;
    for (const auto& [name, tensor] : *sample) elements += tensor.element_count();
    samples.emplace_back(elements, std::move(*sample));
  }
  if (samples.empty()) return no_sample();
  const auto by_size = [](const auto& a, const auto& b) { return a.first < b.first; };
  const int64_t largest = std::max_element(samples.begin(), samples.end(), by_size)->first;
  std::erase_if(samples, [&](const auto& sample) { return 3 * sample.first < largest; });
  return std::move(std::min_element(samples.begin(), samples.end(), by_size)->second);
}

Result<TensorMap> compute_values(const model::Model& model, const std::vector<std::string>& values,
                                 const CalibrationData& data, const TensorMap& sample) {
  const Observer observer = WATTWISE_TRY(Observer::open(model, values, data));
  return observer.look_at(sample);
}

}  // namespace wattwise::quantize
