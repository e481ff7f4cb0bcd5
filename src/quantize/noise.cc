// SPDX-License-Identifier: Apache-2.0
#include "quantize/noise.h"

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "engine/session.h"
#include "model/graph_edit.h"
#include "model/walk.h"
#include "optimize/graph_editor.h"
#include "quantize/activation_grid.h"
#include "quantize/signed_sums.h"

namespace wattwise::quantize {
namespace {

/// Operators that hide how far a decision is from flipping.
constexpr std::array<std::string_view, 3> kDeciders = {"Softmax", "LogSoftmax", "Sigmoid"};

/// Errors of different origin are as good as orthogonal in outputs of so many elements for each.
constexpr int64_t kElementsPerError = 16;

/// Errors this much smaller add up without bending what they go through; all at once and whole,
/// they would flip decisions that each leaves alone.
constexpr float kSmall = 1.0F / 16;

constexpr std::array<float, 1> kNothing = {0};

constexpr std::string_view kMeasuringValues = "measuring what each value may lose";

model::Value float_value(std::string name) {
  model::Value value;
  value.name = std::move(name);
  value.type = DataType::kFloat;
  return value;
}

std::string error_name(const std::string& value) { return value + "_error"; }

/// The model with these outputs; every one of the values has an input added to it.
Result<model::Model> disturbed(const model::Model& model, const TensorMap& values,
                               const std::vector<std::string>& scores) {
  model::Model out = model::clone(model);
  out.graph.outputs.clear();
  for (const std::string& name : scores) out.graph.outputs.push_back(float_value(name));
  optimize::ModelEditor editor(out);
  optimize::GraphEditor& graph = editor.graphs().front();
  for (const auto& [value, tensor] : values) {
    const std::string sum = graph.unique(value + "_disturbed");
    graph.replace_uses(value, sum);
    graph.add(optimize::make_node("Add", {value, error_name(value)}, sum));
  }
  WATTWISE_TRY(editor.finish());
  for (const auto& [value, tensor] : values) {
    model::Value input = float_value(error_name(value));
    input.shape.emplace(tensor.shape.size());
    out.graph.inputs.push_back(std::move(input));
  }
  model::remove_unused(out.graph);
  return out;
}

/// What 8 bits lose of a tensor.
std::vector<float> rounding_error(const Tensor& tensor, const Range& range) {
  const Grid grid = make_grid({range, {}, {}});
  const auto zero = static_cast<float>(grid.zero);
  const auto values = tensor.values<float>();
  std::vector<float> errors(values.size());
  const auto size = static_cast<Eigen::Index>(values.size());
  const Eigen::Map<const Eigen::ArrayXf> x(values.data(), size);
  // Clamped first, to what rounds alike, so that adding and taking away 1.5 * 2^23 rounds, as
  // nearbyint() does, which is a call where there are no instructions for it.
  constexpr float kRounder = 12582912;
  const auto q = (x / grid.scale).max(-zero).min(255 - zero);
  Eigen::Map<Eigen::ArrayXf>(errors.data(), size) = ((q + kRounder) - kRounder) * grid.scale - x;
  return errors;
}

double variance_sum(std::span<const float> values) {
  double sum = 0;
  double squares = 0;
  for (const double x : values) {
    sum += x;
    squares += x * x;
  }
  return squares - sum * sum / static_cast<double>(values.size());
}

/// Sum over the outputs; an output that never varies counts as it is.
double noise_of(const TensorMap& clean, const TensorMap& noisy) {
  double noise = 0;
  for (const auto& [name, tensor] : clean) {
    const auto a = tensor.values<float>();
    const Tensor& other = noisy.at(name);
    const auto b = other.values<float>();
    double error = 0;
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
      const double difference = static_cast<double>(a[i]) - b[i];
      error += difference * difference;
    }
    const double variance = variance_sum(a);
    noise += variance > 0 ? error / variance : error;
  }
  return noise;
}

}  // namespace

std::vector<std::string> score_names(const model::Graph& graph) {
  std::vector<std::string> names;
  for (const model::Value& output : graph.outputs) {
    if (output.type != DataType::kFloat) continue;
    std::string name = output.name;
    for (const model::Node& node : graph.nodes) {
      if (node.is_standard() && node.outputs[0] == name &&
          std::find(kDeciders.begin(), kDeciders.end(), node.op_type) != kDeciders.end()) {
        name = node.inputs[0];
        break;
      }
    }
    names.push_back(std::move(name));
  }
  return names;
}

namespace {

/// The model on one sample, with what 8 bits lose of some of its values.
class DisturbedModel {
 public:
  static Result<DisturbedModel> open(const model::Model& model, const RangeTable& ranges,
                                     const std::vector<std::string>& scores,
                                     const CalibrationData& data) {
    DisturbedModel out;
    for (const auto& [value, range] : ranges) out.values_.push_back(value);
    NumberedSample sample = WATTWISE_TRY(small_sample(data));
    out.inputs_ = std::move(sample.inputs);
    const TensorMap clean = WATTWISE_TRY(compute_values(model, out.values_, data, out.inputs_));
    engine::SessionOptions options;
    options.memory_pattern = false;
    const model::Model noisy = WATTWISE_TRY(disturbed(model, clean, scores));
    out.session_ =
        WATTWISE_TRY(engine::open_session(data.runtime, data.env, noisy, "the model", options));
    for (const std::string& value : out.values_) {
      const Tensor& tensor = clean.at(value);
      WATTWISE_TRY(expect_numbers(sample.number, value, tensor.values<float>()));
      out.errors_.push_back({tensor.shape, rounding_error(tensor, ranges.at(value))});
    }
    return out;
  }

  const std::vector<std::string>& values() const { return values_; }

  /// The scores with each error times its factor.
  Result<TensorMap> run(std::span<const float> factors) {
    for (size_t i = 0; i < values_.size(); ++i) {
      inputs_[error_name(values_[i])] = errors_[i].times(factors[i]);
    }
    TensorMap fed;
    for (const PortInfo& port : session_->inputs()) fed[port.name] = inputs_.at(port.name);
    return session_->run(fed);
  }

 private:
  /// Changed where it lies: memory for all of them anew would cost more than the products.
  struct Error {
    std::vector<int64_t> shape;
    std::vector<float> values;
    float factor = 1;

    Tensor times(float wanted) {
      // A zero that broadcasts.
      if (wanted == 0) return make_float_tensor(std::vector<int64_t>(shape.size(), 1), kNothing);
      if (wanted != factor) {
        Eigen::Map<Eigen::ArrayXf>(values.data(), static_cast<Eigen::Index>(values.size())) *=
            wanted / factor;
        factor = wanted;
      }
      return {DataType::kFloat, shape, Bytes::view_of(std::span<const float>(values)), {}};
    }
  };

  std::unique_ptr<engine::Session> session_;
  std::vector<std::string> values_;
  std::vector<Error> errors_;  ///< in the order of the values
  TensorMap inputs_;
};

Result<NoiseTable> noise_one_by_one(DisturbedModel& disturbed, const TensorMap& clean,
                                    const Progress& progress) {
  NoiseTable noise;
  const std::vector<std::string>& values = disturbed.values();
  std::vector<float> factors(values.size(), 0);
  for (size_t i = 0; i < values.size(); ++i) {
    WATTWISE_TRY(report_progress(progress, kMeasuringValues, 0.4));
    factors[i] = 1;
    noise[values[i]] = noise_of(clean, WATTWISE_TRY(disturbed.run(factors)));
    factors[i] = 0;
  }
  return noise;
}

Result<NoiseTable> noise_from_sums(DisturbedModel& disturbed, const TensorMap& clean,
                                   const Progress& progress) {
  const size_t unknowns = disturbed.values().size();
  const size_t runs = signed_runs(unknowns);
  const std::vector<float> signs = make_signs(runs, unknowns);
  std::map<std::string, std::vector<std::vector<float>>> errors;
  for (size_t r = 0; r < runs; ++r) {
    WATTWISE_TRY(report_progress(progress, kMeasuringValues, 0.4));
    std::vector<float> small(unknowns);
    for (size_t u = 0; u < unknowns; ++u) small[u] = kSmall * signs[r * unknowns + u];
    const TensorMap noisy = WATTWISE_TRY(disturbed.run(small));
    for (const auto& [name, tensor] : clean) {
      errors[name].push_back(output_error(tensor, noisy.at(name)));
    }
  }
  std::vector<double> products(runs * runs);
  for (const auto& [name, tensor] : clean) {
    OutputErrors output;
    output.add(tensor.values<float>(), errors.at(name));
    const std::vector<double> part = output.relative_products();
    std::transform(part.begin(), part.end(), products.begin(), products.begin(), std::plus<>());
  }
  const std::vector<double> found = solve_signed_sums(signs, products, runs);
  NoiseTable noise;
  for (size_t u = 0; u < unknowns; ++u) noise[disturbed.values()[u]] = found[u] / (kSmall * kSmall);
  return noise;
}

int64_t count_elements(const TensorMap& tensors) {
  int64_t count = 0;
  for (const auto& [name, tensor] : tensors) count += tensor.element_count();
  return count;
}

}  // namespace

Result<NoiseTable> measure_noise(const model::Model& model, const RangeTable& ranges,
                                 const CalibrationData& data, const Progress& progress) {
  const std::vector<std::string> scores = score_names(model.graph);
  if (scores.empty() || ranges.empty()) return NoiseTable();
  DisturbedModel disturbed = WATTWISE_TRY(DisturbedModel::open(model, ranges, scores, data));
  const size_t count = ranges.size();
  const TensorMap clean = WATTWISE_TRY(disturbed.run(std::vector<float>(count, 0)));
  const bool orthogonal = count_elements(clean) >= kElementsPerError * static_cast<int64_t>(count);
  return orthogonal && signed_runs(count) < count ? noise_from_sums(disturbed, clean, progress)
                                                  : noise_one_by_one(disturbed, clean, progress);
}

namespace {

/// Puts other values in place of those that the name has, wherever they are defined.
void replace_constant(const model::Constant& replacement, model::Model& model) {
  const model::ConstantIndex constants(model.graph);
  model::for_each_graph(model.graph, [&](model::Graph& graph, const std::string&) {
    model::Constant* known = constants.find(graph, replacement.name);
    if (!known || known->shape != replacement.shape) return;
    known->type = replacement.type;
    known->data = replacement.data;
  });
}

}  // namespace

Result<std::vector<double>> measure_replacements(const model::Model& model,
                                                 const std::vector<model::Constant>& replacements,
                                                 const CalibrationData& data,
                                                 const Progress& progress) {
  std::vector<double> noise;
  const std::vector<std::string> scores = score_names(model.graph);
  if (scores.empty() || replacements.empty()) return noise;
  const TensorMap sample = WATTWISE_TRY(small_sample(data)).inputs;
  const TensorMap clean = WATTWISE_TRY(compute_values(model, scores, data, sample));
  for (const model::Constant& replacement : replacements) {
    WATTWISE_TRY(report_progress(progress, "measuring what each weight may lose", 0.35));
    model::Model changed = model::clone(model);
    replace_constant(replacement, changed);
    const TensorMap noisy = WATTWISE_TRY(compute_values(changed, scores, data, sample));
    noise.push_back(noise_of(clean, noisy));
  }
  return noise;
}

}  // namespace wattwise::quantize
