// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/progress.h"
#include "engine/runtime.h"
#include "model/graph.h"
#include "quantize/ranges.h"
#include "wattwise/result.h"
#include "wattwise/types.h"

namespace wattwise::quantize {

/// The next sample's inputs, or nothing after the last one.
using SampleReader = std::function<Result<std::optional<TensorMap>>()>;

/// One of every `step` samples in a row, a power of two. Which one differs from row to row, as if
/// by chance, so that no order of the samples falls into step. Of the same step, grids with another
/// `first` below it hold other samples, and {f, 2 s} and {f + s, 2 s} together those of {f, s}.
struct SampleGrid {
  size_t first = 0;
  size_t step = 1;
  bool holds(size_t index) const;
};

/// Representative inputs of the float model, read one at a time, and where it runs.
struct CalibrationData {
  std::shared_ptr<engine::Runtime> runtime;  // shared with the session made from it
  Env& env;
  std::function<SampleReader(const SampleGrid&)> open;  ///< starts anew
  std::string range_method = {};     ///< a row of range_methods(); "" for the first
  std::optional<size_t> count = {};  ///< of all samples, where that is known without reading them
};

/// Passes over a grid by passes over all samples.
std::function<SampleReader(const SampleGrid&)> skip_samples(std::function<SampleReader()> open);

using ActivationTable = std::map<std::string, ActivationStatistics>;

/// Mean and mean square of each channel, the second axis, of values of rank 3 or more, and the
/// sizes of their last axes in the last sample. Empty where no sample had elements, or one of them
/// was not finite.
struct ChannelMean {
  std::vector<float> means;
  std::vector<float> squares;
  std::vector<int64_t> sizes;
};
using ChannelMeans = std::map<std::string, ChannelMean>;

/// Float values of a model's main graph.
struct ObservedValues {
  std::vector<std::string> values;
  std::vector<std::string> by_channel = {};  ///< of which means are wanted
  bool every_sample = true;  ///< else, evenly spread, as many as tell how values are distributed
};
struct Observations {
  ActivationTable activations;
  ChannelMeans means;
};

/// Runs the model on samples and gathers statistics of these values. Nothing else is computed
/// than what they need. Memory does not grow with the number of samples. kInvalidArgument without
/// samples.
Result<Observations> gather_activations(const model::Model& model, const ObservedValues& observed,
                                        const CalibrationData& data, const Progress& progress);

struct NumberedSample {
  size_t number;  ///< from 1
  TensorMap inputs;
};

/// Of the first 16 samples the one with the fewest elements that has at least a third of those of
/// the largest; kInvalidArgument if there is none.
Result<NumberedSample> small_sample(const CalibrationData& data);

/// kInvalidArgument, with the sample's number, where a value of it is NaN.
Result<void> expect_numbers(size_t number, const std::string& name, std::span<const float> values);

/// These float values of the main graph for one sample.
Result<TensorMap> compute_values(const model::Model& model, const std::vector<std::string>& values,
                                 const CalibrationData& data, const TensorMap& sample);

}  // namespace wattwise::quantize
