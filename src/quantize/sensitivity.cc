// SPDX-License-Identifier: Apache-2.0
#include "quantize/sensitivity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "engine/session.h"
#include "model/graph_edit.h"
#include "optimize/graph_editor.h"
#include "quantize/noise.h"
#include "quantize/store_int8.h"

namespace wattwise::quantize {
namespace {

using optimize::make_node;

/// The operator set that has DynamicQuantizeLinear.
constexpr int64_t kFirstWithRanges = 11;
/// Samples that are run; more change little.
constexpr int64_t kMostSamples = 8;
constexpr size_t kFewestRuns = 12;
constexpr size_t kMostRuns = 64;
constexpr int kSweeps = 200;
/// Sign patterns that are drawn for an error, of which the one least like the others' is taken.
constexpr int kDraws = 32;

std::string sign_name(size_t unknown) { return fmt::format("wattwise_sign_{}", unknown); }

model::Value sign_input(size_t unknown) {
  model::Value value;
  value.name = sign_name(unknown);
  value.type = DataType::kFloat;
  value.shape = {{{1, "", {}}}};
  return value;
}

/// A model in which errors can be switched on, each by an input that takes its sign.
struct Disturbed {
  model::Model model;
  size_t weights = 0;
  std::vector<size_t> inputs;  ///< weights whose input can be disturbed too; unknowns after those
  size_t unknowns() const { return weights + inputs.size(); }
};

/// What 8 bits lose of a value when their range is found at run time.
std::string add_input_error(const std::string& value, model::NameMaker& names,
                            std::vector<model::Node>& nodes) {
  const std::string bytes = names.unique(value + "_bytes");
  const std::string scale = names.unique(value + "_scale");
  const std::string zero = names.unique(value + "_zero");
  const std::string read = names.unique(value + "_read");
  std::string error = names.unique(value + "_error");
  nodes.push_back(make_node("DynamicQuantizeLinear", {value}, bytes));
  nodes.back().outputs = {bytes, scale, zero};
  nodes.push_back(make_node("DequantizeLinear", {bytes, scale, zero}, read));
  nodes.push_back(make_node("Sub", {read, value}, error));
  return error;
}

/// Nodes that graphs get, and inputs that their nodes get.
class Disturber {
 public:
  explicit Disturber(model::Model& model) : model_(model), names_(model.graph) {}

  void disturb(const Weight& weight, const std::vector<float>& errors, size_t unknown) {
    const std::string error = names_.unique(weight.name + "_error");
    weight.graph->initializers.push_back(
        model::make_float_constant(error, weight.constant.shape, errors));
    const std::string sum = add_error(weight.name, error, unknown, added_[weight.graph]);
    for (const WeightReader& reader : weight.readers) inputs_[reader.node][reader.slot] = sum;
  }

  void disturb_input(const Weight& weight, size_t unknown) {
    for (const WeightReader& reader : weight.readers) {
      std::vector<model::Node>& nodes = added_[reader.graph];
      const std::string& value = reader.node->inputs[0];
      const std::string error = add_input_error(value, names_, nodes);
      inputs_[reader.node][0] = add_error(value, error, unknown, nodes);
    }
  }

  Result<void> finish() {
    model::for_each_graph(model_.graph, [&](model::Graph& graph, const std::string&) {
      for (model::Node& node : graph.nodes) {
        const auto it = inputs_.find(&node);
        if (it == inputs_.end()) continue;
        for (const auto& [slot, name] : it->second) node.inputs[slot] = name;
      }
    });
    for (auto& [graph, nodes] : added_) {
      std::move(nodes.begin(), nodes.end(), std::back_inserter(graph->nodes));
    }
    return model::sort_nodes(model_.graph);
  }

 private:
  /// Adds what makes `value` + sign x error and returns its name.
  std::string add_error(const std::string& value, const std::string& error, size_t unknown,
                        std::vector<model::Node>& nodes) {
    const std::string signed_error = names_.unique(error + "_signed");
    std::string sum = names_.unique(value + "_disturbed");
    nodes.push_back(make_node("Mul", {error, sign_name(unknown)}, signed_error));
    nodes.push_back(make_node("Add", {value, signed_error}, sum));
    return sum;
  }

  model::Model& model_;
  model::NameMaker names_;
  std::map<model::Graph*, std::vector<model::Node>> added_;
  std::unordered_map<const model::Node*, std::map<size_t, std::string>> inputs_;
};

Result<Disturbed> disturb(const model::Model& original, const Disturbance& disturbance,
                          const std::vector<std::string>& scores) {
  Disturbed disturbed{model::clone(original), 0, {}};
  model::Model& model = disturbed.model;
  std::vector<Decision> told_by_the_method;
  const std::vector<Weight> weights = find_weights(model, told_by_the_method);
  disturbed.weights = weights.size();
  Disturber disturber(model);
  for (size_t i = 0; i < weights.size(); ++i) {
    disturber.disturb(weights[i], disturbance.errors(weights[i], i), i);
    if (model.opset("") < kFirstWithRanges || !disturbance.reads_bytes(weights[i], i)) continue;
    disturber.disturb_input(weights[i], disturbed.unknowns());
    disturbed.inputs.push_back(i);
  }
  WATTWISE_TRY(disturber.finish());
  model::compute_only(model.graph, scores);
  for (size_t u = 0; u < disturbed.unknowns(); ++u) model.graph.inputs.push_back(sign_input(u));
  return disturbed;
}

/// The largest product of a pattern of signs with one of the first `count` columns of [runs, any].
float likeness(const std::vector<float>& pattern, const std::vector<float>& signs, size_t count) {
  const size_t unknowns = signs.size() / pattern.size();
  float most = 0;
  for (size_t u = 0; u < count; ++u) {
    float product = 0;
    for (size_t r = 0; r < pattern.size(); ++r) product += pattern[r] * signs[r * unknowns + u];
    most = std::max(most, std::fabs(product));
  }
  return most;
}

/// [runs, unknowns] of +1 and -1, the same everywhere. Columns that are equal or opposite could not
/// be told apart.
std::vector<float> make_signs(size_t runs, size_t unknowns) {
  std::mt19937 random(1);
  std::vector<float> signs(runs * unknowns);
  for (size_t u = 0; u < unknowns; ++u) {
    std::vector<float> best;
    float least = 0;
    for (int draw = 0; draw < kDraws; ++draw) {
      std::vector<float> pattern(runs);
      for (float& sign : pattern) sign = (random() & 1U) != 0 ? 1 : -1;
      const float like = likeness(pattern, signs, u);
      if (!best.empty() && like >= least) continue;
      best = std::move(pattern);
      least = like;
    }
    for (size_t r = 0; r < runs; ++r) signs[r * unknowns + u] = best[r];
  }
  return signs;
}

/// Products of the errors of one output, over all samples.
struct OutputErrors {
  std::vector<double> products;  ///< [runs, runs]
  double sum = 0;
  double squares = 0;
  double count = 0;

  void add(std::span<const float> clean, const std::vector<std::vector<float>>& errors) {
    const size_t runs = errors.size();
    products.resize(runs * runs);
    for (size_t r = 0; r < runs; ++r) {
      for (size_t s = r; s < runs; ++s) {
        double product = 0;
        for (size_t i = 0; i < clean.size(); ++i) {
          product += static_cast<double>(errors[r][i]) * errors[s][i];
        }
        products[r * runs + s] += product;
        if (s > r) products[s * runs + r] += product;
      }
    }
    for (const double value : clean) {
      sum += value;
      squares += value * value;
    }
    count += static_cast<double>(clean.size());
  }

  /// What errors are held against: an output that never varies counts as it is.
  double power() const {
    const double variance = count > 0 ? squares - sum * sum / count : 0;
    return variance > 1e-9 * squares ? variance : squares > 0 ? squares : 1;
  }
};

/// Runs the disturbed model on samples.
class Measurement {
 public:
  Measurement(const engine::Session& session, size_t unknowns, size_t runs)
      : session_(session), unknowns_(unknowns), runs_(runs), signs_(make_signs(runs, unknowns)) {}

  Result<void> add(const TensorMap& sample) {
    const TensorMap clean = WATTWISE_TRY(run(sample, std::vector<float>(unknowns_, 0)));
    std::map<std::string, std::vector<std::vector<float>>> errors;
    for (size_t r = 0; r < runs_; ++r) {
      const auto row = signs_.begin() + static_cast<ptrdiff_t>(r * unknowns_);
      const TensorMap noisy =
          WATTWISE_TRY(run(sample, {row, row + static_cast<ptrdiff_t>(unknowns_)}));
      for (const auto& [name, tensor] : clean) {
        errors[name].push_back(difference(tensor, noisy.at(name)));
      }
    }
    for (const auto& [name, tensor] : clean) {
      outputs_[name].add(tensor.values<float>(), errors.at(name));
    }
    return {};
  }

  std::vector<double> solve() const {
    std::vector<double> products(runs_ * runs_, 0);
    for (const auto& [name, output] : outputs_) {
      const double power = output.power();
      for (size_t i = 0; i < products.size(); ++i) products[i] += output.products[i] / power;
    }
    return solve_signed_sums(signs_, products, runs_);
  }

 private:
  Result<TensorMap> run(const TensorMap& sample, const std::vector<float>& signs) const {
    TensorMap fed;
    for (const PortInfo& port : session_.inputs()) {
      if (const auto it = sample.find(port.name); it != sample.end()) fed.insert(*it);
    }
    for (size_t u = 0; u < unknowns_; ++u) {
      fed[sign_name(u)] = make_float_tensor({1}, std::vector<float>{signs[u]});
    }
    return session_.run(fed);
  }

  /// Zero where either is no number, and where the shapes differ.
  static std::vector<float> difference(const Tensor& clean, const Tensor& noisy) {
    const auto a = clean.values<float>();
    const auto b = noisy.values<float>();
    std::vector<float> out(a.size());
    if (a.size() != b.size()) return out;
    for (size_t i = 0; i < a.size(); ++i) {
      const float error = b[i] - a[i];
      out[i] = std::isfinite(error) ? error : 0;
    }
    return out;
  }

  const engine::Session& session_;
  size_t unknowns_;
  size_t runs_;
  std::vector<float> signs_;
  std::map<std::string, OutputErrors> outputs_;
};

}  // namespace

bool may_read_bytes(const Weight& weight) {
  if (is_matrix(weight)) return true;
  return weight.readers.size() == 1 && weight.only_read_by("LSTM", 1);
}

std::vector<double> solve_signed_sums(const std::vector<float>& signs,
                                      const std::vector<double>& products, size_t runs) {
  const size_t unknowns = runs == 0 ? 0 : signs.size() / runs;
  // The least squares of |products - S diag(x) S^T|: hessian = (S^T S)^2 by elements.
  std::vector<double> hessian(unknowns * unknowns);
  std::vector<double> target(unknowns);
  for (size_t u = 0; u < unknowns; ++u) {
    for (size_t v = 0; v < unknowns; ++v) {
      double dot = 0;
      for (size_t r = 0; r < runs; ++r) dot += signs[r * unknowns + u] * signs[r * unknowns + v];
      hessian[u * unknowns + v] = dot * dot;
    }
    for (size_t r = 0; r < runs; ++r) {
      for (size_t s = 0; s < runs; ++s) {
        target[u] += signs[r * unknowns + u] * signs[s * unknowns + u] * products[r * runs + s];
      }
    }
  }
  std::vector<double> lengths(unknowns, 0);
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    for (size_t u = 0; u < unknowns; ++u) {
      double slope = -target[u];
      for (size_t v = 0; v < unknowns; ++v) slope += hessian[u * unknowns + v] * lengths[v];
      lengths[u] = std::max(0.0, lengths[u] - slope / hessian[u * unknowns + u]);
    }
  }
  return lengths;
}

Result<SensitivityReport> measure_sensitivity(const model::Model& model,
                                              const Disturbance& disturbance,
                                              const CalibrationData& data,
                                              const Progress& progress) {
  SensitivityReport report;
  const std::vector<std::string> scores = score_names(model.graph);
  if (scores.empty()) return report;
  const Disturbed disturbed = WATTWISE_TRY(disturb(model, disturbance, scores));
  if (disturbed.weights == 0) return report;
  const auto wanted =
      static_cast<size_t>(std::ceil(3 * std::sqrt(static_cast<double>(disturbed.unknowns()))));
  const size_t runs = std::clamp(wanted, kFewestRuns, kMostRuns);
  engine::SessionOptions options;
  options.memory_pattern = false;  // samples differ in shape
  const auto session = WATTWISE_TRY(
      engine::open_session(data.runtime, data.env, disturbed.model, "the model", options));
  Measurement measurement(*session, disturbed.unknowns(), runs);
  const SampleReader next = data.open();
  for (; report.samples < kMostSamples; ++report.samples) {
    const auto sample = WATTWISE_TRY(next());
    if (!sample) break;
    WATTWISE_TRY(report_progress(progress, "measuring what each layer may lose", 0.4));
    WATTWISE_TRY(measurement.add(*sample));
  }
  if (report.samples == 0) return report;
  report.runs = report.samples * static_cast<int64_t>(runs + 1);
  const std::vector<double> lengths = measurement.solve();
  for (size_t i = 0; i < disturbed.weights; ++i) report.weights.push_back({lengths[i], 0});
  for (size_t i = 0; i < disturbed.inputs.size(); ++i) {
    report.weights[disturbed.inputs[i]].input = lengths[disturbed.weights + i];
  }
  return report;
}

}  // namespace wattwise::quantize
