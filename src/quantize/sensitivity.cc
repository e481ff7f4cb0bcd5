// SPDX-License-Identifier: Apache-2.0
#include "quantize/sensitivity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/session.h"
#include "model/graph_edit.h"
#include "optimize/graph_editor.h"
#include "quantize/noise.h"
#include "quantize/signed_sums.h"
#include "quantize/store_int8.h"

namespace wattwise::quantize {
namespace {

using optimize::make_node;

/// The operator set that has DynamicQuantizeLinear.
constexpr int64_t kFirstWithRanges = 11;
/// Samples that are run; more change little.
constexpr int64_t kMostSamples = 8;

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
    WATTWISE_TRY(model::sort_nodes(model_.graph));
    return {};
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
        errors[name].push_back(output_error(tensor, noisy.at(name)));
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
      const std::vector<double> part = output.relative_products();
      for (size_t i = 0; i < products.size(); ++i) products[i] += part[i];
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

Result<SensitivityReport> measure_sensitivity(const model::Model& model,
                                              const Disturbance& disturbance,
                                              const CalibrationData& data,
                                              const Progress& progress) {
  SensitivityReport report;
  const std::vector<std::string> scores = score_names(model.graph);
  if (scores.empty()) return report;
  const Disturbed disturbed = WATTWISE_TRY(disturb(model, disturbance, scores));
  if (disturbed.weights == 0) return report;
  const size_t runs = signed_runs(disturbed.unknowns());
  engine::SessionOptions options;
  options.memory_pattern = false;  // samples differ in shape
  const auto session = WATTWISE_TRY(
      engine::open_session(data.runtime, data.env, disturbed.model, "the model", options));
  Measurement measurement(*session, disturbed.unknowns(), runs);
  const SampleReader next = data.open({});
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
