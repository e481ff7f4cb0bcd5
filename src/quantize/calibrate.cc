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

/// Where not every sample is looked at, so many at least are, if there are as many.
constexpr size_t kFewestInAGrid = 8;

/// Twice as many samples tell nothing new if they move the ends of what is common by less than this
/// share of its width, in the mean over the values: 8 bits over a width that is 2 % off have 0.2 dB
/// more noise. Ends move less from one half of the samples to all of them the more these are alike:
/// by 0.9 % with 20 lines of text, by 5 to 10 % with as many, or 100, crops of photographs.
constexpr double kMovesNothing = 0.02;
constexpr double kUncommonShare = 0.0003;

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
    if (computed.empty()) return observer;
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
    TensorMap values;
    if (session_) values = WATTWISE_TRY(session_->run(inputs_for(*session_, sample)));
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
  std::unique_ptr<engine::Session> session_;  // null where all values are fed
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

Error no_sample() {
  return Error(ErrorCode::kInvalidArgument,
               "the calibration data holds no sample; pass inputs like those of the application");
}

/// Statistics of a model's values over more and more samples.
class Gathering {
 public:
  static Result<Gathering> open(const model::Model& model, const ObservedValues& observed,
                                const CalibrationData& data) {
    std::set<std::string> all(observed.values.begin(), observed.values.end());
    all.insert(observed.by_channel.begin(), observed.by_channel.end());
    return Gathering(observed, data,
                     WATTWISE_TRY(Observer::open(model, {all.begin(), all.end()}, data)));
  }

  Result<void> look_at(const SampleGrid& grid, const Progress& progress) {
    const SampleReader next = data_.open(grid);
    for (size_t index = 0;; ++index) {
      if (!grid.holds(index)) continue;
      const auto sample = WATTWISE_TRY(next());
      if (!sample) return {};
      const TensorMap seen = WATTWISE_TRY(observer_.look_at(*sample));
      for (const std::string& name : observed_.values) {
        const auto values = seen.at(name).values<float>();
        if (!activations_[name].add(values)) {
          WATTWISE_TRY(expect_numbers(index + 1, name, values));
        }
      }
      for (const std::string& name : observed_.by_channel) sums_[name].add(seen.at(name));
      WATTWISE_TRY(report_progress(progress, fmt::format("calibrating, sample {}", ++count_), 0.3));
    }
  }

  size_t count() const { return count_; }

  std::map<std::string, Range> common_ranges() const {
    std::map<std::string, Range> ranges;
    for (const auto& [name, statistics] : activations_) {
      ranges[name] = statistics.without_ends(kUncommonShare);
    }
    return ranges;
  }

  Observations finish() {
    Observations out{std::move(activations_), {}};
    for (const auto& [name, sum] : sums_) out.means[name] = sum.mean();
    return out;
  }

 private:
  Gathering(const ObservedValues& observed, const CalibrationData& data, Observer observer)
      : observed_(observed), data_(data), observer_(std::move(observer)) {}

  const ObservedValues& observed_;
  const CalibrationData& data_;
  Observer observer_;
  ActivationTable activations_;
  std::map<std::string, ChannelSums> sums_;
  size_t count_ = 0;
};

bool is_settled(const std::map<std::string, Range>& before,
                const std::map<std::string, Range>& after) {
  double moved = 0;
  for (const auto& [name, range] : after) {
    const Range& old = before.at(name);
    const double width = static_cast<double>(range.high) - range.low;
    const double both = std::fabs(static_cast<double>(range.low) - old.low) +
                        std::fabs(static_cast<double>(range.high) - old.high);
    if (width > 0) moved += both / width;
  }
  return moved <= kMovesNothing * static_cast<double>(after.size());
}

Result<size_t> count_samples(const CalibrationData& data) {
  if (data.count) return *data.count;
  const SampleReader next = data.open({});
  for (size_t count = 0;; ++count) {
    if (!WATTWISE_TRY(next())) return count;
  }
}

}  // namespace

bool SampleGrid::holds(size_t index) const {
  // Each bit is turned over, or not, by what lies above it: rows of any power of two are shuffled
  // within themselves.
  size_t shuffled = 0;
  for (size_t bit = 1; bit < step; bit *= 2) {
    constexpr uint64_t kScatter = 0x9E3779B97F4A7C15;  // 2^64 / the golden ratio
    const bool is_turned = ((index / bit / 2 + bit) * kScatter) >> 63 != 0;
    if (((index & bit) != 0) != is_turned) shuffled += bit;
  }
  return shuffled == first;
}

std::function<SampleReader(const SampleGrid&)> skip_samples(std::function<SampleReader()> open) {
  return [open = std::move(open)](const SampleGrid& grid) -> SampleReader {
    return [next = open(), grid, index = size_t{0}]() mutable -> Result<std::optional<TensorMap>> {
      for (; !grid.holds(index); ++index) {
        if (!WATTWISE_TRY(next())) return std::optional<TensorMap>();
      }
      ++index;
      return next();
    };
  };
}

Result<Observations> gather_activations(const model::Model& model, const ObservedValues& observed,
                                        const CalibrationData& data, const Progress& progress) {
  Gathering gathering = WATTWISE_TRY(Gathering::open(model, observed, data));
  size_t step = 1;
  if (!observed.every_sample) {
    const size_t count = WATTWISE_TRY(count_samples(data));
    while (count >= 2 * step * kFewestInAGrid) step *= 2;
  }
  WATTWISE_TRY(gathering.look_at({0, step}, progress));
  if (gathering.count() == 0) return no_sample();
  for (; step > 1; step /= 2) {
    const auto before = gathering.common_ranges();
    WATTWISE_TRY(gathering.look_at({step / 2, step}, progress));
    if (is_settled(before, gathering.common_ranges())) break;
  }
  return gathering.finish();
}

Result<void> expect_numbers(size_t number, const std::string& name, std::span<const float> values) {
  if (std::none_of(values.begin(), values.end(), [](float x) { return std::isnan(x); })) return {};
  return Error(
      ErrorCode::kInvalidArgument,
      fmt::format("sample {} of the calibration data makes {} NaN; take it out", number, name));
}

Result<NumberedSample> small_sample(const CalibrationData& data) {
  std::vector<std::pair<int64_t, NumberedSample>> samples;
  const SampleReader next = data.open({});
  while (samples.size() < kSmallAmong) {
    auto sample = WATTWISE_TRY(next());
    if (!sample) break;
    int64_t elements = 0;
    for (const auto& [name, tensor] : *sample) elements += tensor.element_count();
    samples.emplace_back(elements, NumberedSample{samples.size() + 1, std::move(*sample)});
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
