// SPDX-License-Identifier: Apache-2.0
#include "measure/divergence.h"

#include <algorithm>
#include <unordered_map>

#include "measure/metrics.h"
#include "model/graph_edit.h"

namespace wattwise::measure {
namespace {

constexpr size_t kValuesPerRun = 16;

/// Values that nodes of the main graph make, with the node's operator.
std::unordered_map<std::string, std::string> made_values(const model::Model& model) {
  std::unordered_map<std::string, std::string> made;
  for (const model::Node& node : model.graph.nodes) {
    if (node.is("Constant")) continue;
    for (const std::string& output : node.outputs) {
      if (!output.empty()) made[output] = node.op_type;
    }
  }
  return made;
}

/// Names that both models give to a value, in the order of the first.
std::vector<std::string> common_values(const model::Model& first,
                                       const std::unordered_map<std::string, std::string>& second) {
  std::vector<std::string> common;
  for (const model::Node& node : first.graph.nodes) {
    if (node.is("Constant")) continue;
    for (const std::string& output : node.outputs) {
      if (second.contains(output)) common.push_back(output);
    }
  }
  return common;
}

/// The model with these values, and nothing else, as its outputs.
model::Model exposing(const model::Model& model, std::span<const std::string> names) {
  model::Model exposed = model::clone(model);
  exposed.graph.outputs.clear();
  for (const std::string& name : names) {
    model::Value value;
    value.name = name;
    exposed.graph.outputs.push_back(std::move(value));
  }
  return exposed;
}

/// Runs both models for some of their common values.
class Prober {
 public:
  Prober(std::shared_ptr<engine::Runtime> runtime, Env& env, const DivergenceQuery& query)
      : runtime_(std::move(runtime)), env_(env), query_(query) {}

  /// How each of `names` differs; absent for another shape and for texts, for which no figure
  /// exists.
  Result<std::vector<std::optional<OutputAccuracy>>> compare(
      std::span<const std::string> names) const {
    const TensorMap first = WATTWISE_TRY(run(query_.first, names));
    const TensorMap second = WATTWISE_TRY(run(query_.second, names));
    std::vector<std::optional<OutputAccuracy>> found;
    for (const std::string& name : names) {
      auto compared = compare_outputs({{name, first.at(name)}}, {{name, second.at(name)}});
      found.push_back(compared ? std::optional(compared->front()) : std::nullopt);
    }
    return found;
  }

  /// Index, among `names`, of the first that differs, with how much; absent if none does.
  Result<std::optional<std::pair<size_t, OutputAccuracy>>> first_of(
      std::span<const std::string> names) const {
    const auto compared = WATTWISE_TRY(compare(names));
    for (size_t i = 0; i < names.size(); ++i) {
      if (compared[i] && compared[i]->max_relative_error > query_.threshold) {
        return std::optional(std::pair(i, *compared[i]));
      }
    }
    return std::optional<std::pair<size_t, OutputAccuracy>>();
  }

 private:
  Result<TensorMap> run(const model::Model& model, std::span<const std::string> names) const {
    engine::SessionOptions options;
    options.prepack = false;
    options.optimization = engine::GraphOptimization::kBasic;
    const auto session = WATTWISE_TRY(engine::open_session(runtime_, env_, exposing(model, names),
                                                           "an intermediate value", options));
    TensorMap inputs;
    for (const PortInfo& port : session->inputs()) {
      if (const auto it = query_.sample.find(port.name); it != query_.sample.end()) {
        inputs.insert(*it);
      }
    }
    return session->run(inputs);
  }

  std::shared_ptr<engine::Runtime> runtime_;  // shared with the sessions made from it
  Env& env_;
  const DivergenceQuery& query_;
};

/// Evenly spaced positions in [begin, end), the last one included.
std::vector<size_t> spread(size_t begin, size_t end) {
  std::vector<size_t> positions;
  const size_t count = std::min(kValuesPerRun, end - begin);
  for (size_t i = 1; i <= count; ++i) positions.push_back(begin + (end - begin) * i / count - 1);
  return positions;
}

}  // namespace

Result<std::vector<ValueError>> value_errors(const std::shared_ptr<engine::Runtime>& runtime,
                                             Env& env, const DivergenceQuery& query) {
  constexpr size_t kAtOnce = 64;  // each run holds so many intermediate values
  const auto second = made_values(query.second);
  const std::vector<std::string> values = common_values(query.first, second);
  const Prober prober(runtime, env, query);
  std::vector<ValueError> errors;
  for (size_t begin = 0; begin < values.size(); begin += kAtOnce) {
    const std::span part =
        std::span(values).subspan(begin, std::min(kAtOnce, values.size() - begin));
    const auto compared = WATTWISE_TRY(prober.compare(part));
    for (size_t i = 0; i < part.size(); ++i) {
      if (!compared[i]) continue;
      errors.push_back({part[i], second.at(part[i]), compared[i]->max_relative_error});
    }
  }
  return errors;
}

Result<std::optional<Divergence>> find_divergence(const std::shared_ptr<engine::Runtime>& runtime,
                                                  Env& env, const DivergenceQuery& query) {
  const auto second = made_values(query.second);
  const std::vector<std::string> values = common_values(query.first, second);
  const Prober prober(runtime, env, query);
  std::optional<Divergence> found;
  size_t begin = 0;
  size_t end = values.size();
  while (begin < end) {
    const std::vector<size_t> positions = spread(begin, end);
    std::vector<std::string> names;
    for (const size_t position : positions) names.push_back(values[position]);
    const auto differs = WATTWISE_TRY(prober.first_of(names));
    if (!differs) break;
    const auto& [index, accuracy] = *differs;
    end = positions[index];
    if (index > 0) begin = positions[index - 1] + 1;
    found = Divergence{
        values[end],      second.at(values[end]),      end > 0 ? values[end - 1] : "",
        accuracy.sqnr_db, accuracy.max_relative_error, static_cast<int64_t>(values.size())};
  }
  return found;
}

}  // namespace wattwise::measure
