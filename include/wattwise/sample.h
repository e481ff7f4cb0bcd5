// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "wattwise/result.h"
#include "wattwise/tensor.h"
#include "wattwise/types.h"

namespace wattwise {

/// A named input: a tensor, a text, or the path of an image, sound or array file.
using InputValue = std::variant<Tensor, std::string>;
/// Inputs of one inference. The name is an input's, a kind (image, text, audio), or "" when there
/// is only one. Several entries in `batch` run as one batch.
struct InferenceInputs {
  std::vector<std::pair<std::string, InputValue>> values;
  std::vector<InferenceInputs> batch;
};

/// One of many samples.
struct Sample {
  InferenceInputs inputs;
  /// What is right, one number for each decision of the model (usually one, the class); empty where
  /// that is not known.
  std::vector<double> labels = {};
};
/// Gives one sample after the other; absent at the end.
using SampleStream = std::function<Result<std::optional<Sample>>()>;

/// Many samples, of which one at a time is in memory.
struct SampleData {
  std::string path;  ///< a folder or file (docs/formats/datasets.md); "" where `start` is set
  /// Starts a pass over all samples, the same ones every time; called on the caller's thread.
  std::function<Result<SampleStream>()> start = {};
  /// Whether `start` works a single time only: the samples are then kept in a temporary folder.
  bool once = false;

  bool is_given() const { return start || !path.empty(); }
};

/// A figure of the caller's for how well a model does its task, the higher the better: gets the
/// model's outputs and the labels of every sample, in order.
using TaskMetric = std::function<Result<double>(const std::vector<TensorMap>& outputs,
                                                const std::vector<std::vector<double>>& labels)>;

/// What a model is for, and how well it does that.
struct Evaluation {
  SampleData data;     ///< with labels; where not given, calibration_data
  std::string metric;  ///< "accuracy" or "auroc", and ":" with an output's name; "": by the labels
  TaskMetric custom = {};  ///< instead of `metric`; all outputs are in memory for it

  bool is_given() const { return data.is_given() || custom || !metric.empty(); }
};

/// A task metric of the float model and of the one made from it.
struct TaskAccuracy {
  std::string metric;  ///< "accuracy of logits", "auroc of score", "the caller's metric"
  double original = 0;
  double prepared = 0;
  std::string data;  ///< where the samples came from
  int64_t samples = 0;
};

/// Two models and what they are compared on.
struct CompareOptions {
  std::string first_path;   ///< the reference
  std::string second_path;  ///< what is held against it
  std::vector<InferenceInputs> samples = {};
  SampleData data = {};        ///< every sample is run; without data and samples random inputs
  Evaluation evaluation = {};  ///< what the drop is of, instead of agreement
  /// Values of inputs, and sizes of dimensions, that the second model may have for good.
  std::map<std::string, std::string> fixed_inputs = {};
  std::string plot_path;  ///< a picture, .html or .svg; "": none
};

}  // namespace wattwise
