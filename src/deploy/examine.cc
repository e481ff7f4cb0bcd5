// SPDX-License-Identifier: Apache-2.0
#include "deploy/examine.h"

#include <cmath>
#include <map>

#include "deploy/efficiency.h"
#include "deploy/samples.h"
#include "deploy/to_json.h"
#include "device/doctor.h"
#include "device/snapshot.h"
#include "engine/providers.h"
#include "measure/compare.h"
#include "model/graph_edit.h"
#include "model/inspect.h"
#include "model/load.h"

namespace wattwise::deploy {
namespace {

Json describe_node(const model::NodeCost& node) {
  const auto or_null = [](const std::optional<int64_t>& value) {
    return value ? Json(*value) : Json(nullptr);
  };
  return {{"name", node.name},
          {"op_type", node.op_type},
          {"graph", node.graph},
          {"macs", or_null(node.macs)},
          {"parameters", node.parameters},
          {"weight_bytes", node.weight_bytes},
          {"activation_bytes", or_null(node.activation_bytes)},
          {"compute_type", data_type_name(node.compute_type)}};
}

Json describe_ports(const std::vector<PortInfo>& ports) {
  Json out = Json::array();
  for (const PortInfo& port : ports) out.push_back(to_document(port));
  return out;
}

Json count_operators(const model::Inspection& inspection) {
  std::map<std::string, int64_t> counts;
  for (const auto& node : inspection.nodes) ++counts[node.op_type];
  return counts;
}

Json describe_interval(const measure::Interval& interval) {
  return {{"median", interval.median}, {"low", interval.low}, {"high", interval.high}};
}

Json describe_facts(const measure::ModelFacts& facts) {
  const auto& memory = facts.load_memory_bytes;
  return {{"path", facts.path},
          {"size_bytes", facts.size_bytes},
          {"load_ms", facts.load_ms},
          {"load_memory_bytes", memory ? Json(*memory) : Json(nullptr)}};
}

/// The samples for a comparison: the caller's, or inputs that the first model accepts.
Result<Samples> comparison_samples(Context& context, const std::string& path,
                                   const std::vector<InferenceInputs>& raw) {
  Env& env = context.env();
  auto runtime = WATTWISE_TRY(context.runtime());
  const auto model = WATTWISE_TRY(model::load(env, path));
  WATTWISE_TRY(model::check_ports(model));
  const auto session = WATTWISE_TRY(engine::open_session(runtime, env, path, {}));
  const auto preprocessor = WATTWISE_TRY(input::load_preprocessor(env, path));
  PrepareOptions options;
  options.samples = raw;
  return make_samples(env, {model, *session, preprocessor}, options);
}

Json describe_divergence(const std::optional<measure::Divergence>& divergence) {
  if (!divergence) return nullptr;
  return {{"value", divergence->value},
          {"op_type", divergence->op_type},
          {"last_equal", divergence->last_equal},
          {"sqnr_db", divergence->sqnr_db},
          {"max_relative_error", divergence->relative_error},
          {"common_values", divergence->common_values}};
}

Json describe_comparison(const measure::Comparison& comparison) {
  Json outputs = Json::object();
  for (const OutputAccuracy& output : comparison.outputs) {
    outputs[output.output] = {
        {"sqnr_db", std::isinf(output.sqnr_db) ? Json("inf") : Json(output.sqnr_db)},
        {"cosine", output.cosine},
        {"max_abs_error", output.max_abs_error},
        {"max_relative_error", output.max_relative_error}};
  }
  return {{"first", describe_facts(comparison.first)},
          {"second", describe_facts(comparison.second)},
          {"outputs", outputs},
          {"drop_percent", comparison.drop.percent},
          {"compared_by", comparison.drop.compared_by},
          {"data", comparison.data},
          {"samples", comparison.samples},
          {"first_cpu_ms", describe_interval(comparison.timing.first_ms)},
          {"second_cpu_ms", describe_interval(comparison.timing.second_ms)},
          {"speed_ratio", describe_interval(comparison.timing.ratio)},
          {"timed_pairs", comparison.timing.pairs},
          {"first_divergence", describe_divergence(comparison.divergence)}};
}

}  // namespace

Result<Json> inspect_model(Context& context, const std::string& model_path) {
  Env& env = context.env();
  const std::string path =
      absolute_path(env, WATTWISE_TRY(input::find_model_file(env, model_path)));
  const auto model = WATTWISE_TRY(model::load(env, path));
  if (auto valid = model::verify(model); !valid) {
    return std::move(valid).error().with_context("inspecting " + path);
  }
  const auto inputs = model::input_ports(model);
  const engine::InputGuess guess = plausible_inputs(model).front();
  auto inspected = inspect_with_shapes(context, model, guess);
  if (!inspected) return std::move(inspected).error().with_context("inspecting " + path);
  Json nodes = Json::array();
  for (const auto& node : inspected->nodes) nodes.push_back(describe_node(node));
  const auto info = env.stat(path);
  Json opsets = Json::object();
  for (const auto& import : model.opset_imports) {
    opsets[import.domain.empty() ? "ai.onnx" : import.domain] = import.version;
  }
  return Json{{"model_path", path},
              {"size_bytes", info ? info->size_bytes : 0},
              {"model_type", inspected->model_type},
              {"model_type_reason", inspected->model_type_reason},
              {"ir_version", model.ir_version},
              {"opsets", opsets},
              {"inputs", describe_ports(inputs)},
              {"outputs", describe_ports(model::output_ports(model))},
              {"assumed_sizes", guess.dimensions},
              {"assumed_values", guess.scalars},
              {"node_count", inspected->node_count},
              {"graph_count", inspected->graph_count},
              {"parameters", inspected->parameters},
              {"weight_bytes", inspected->weight_bytes},
              {"macs", inspected->macs},
              {"activation_bytes", inspected->activation_bytes},
              {"nodes_without_shape", inspected->nodes_without_shape},
              {"nodes_in_loops", inspected->nodes_in_loops},
              {"operators", count_operators(*inspected)},
              {"nodes", nodes}};
}

Result<Json> compare_models(Context& context, const std::string& first_path,
                            const std::string& second_path,
                            const std::vector<InferenceInputs>& samples) {
  Env& env = context.env();
  const std::string first =
      absolute_path(env, WATTWISE_TRY(input::find_model_file(env, first_path)));
  const std::string second =
      absolute_path(env, WATTWISE_TRY(input::find_model_file(env, second_path)));
  measure::CompareOptions options;
  Samples prepared = WATTWISE_TRY(comparison_samples(context, first, samples));
  options.samples = std::move(prepared.inputs);
  options.data = prepared.source;
  options.progress = context.progress();
  auto runtime = WATTWISE_TRY(context.runtime());
  auto comparison = measure::compare_models(runtime, env, first, second, options);
  if (!comparison) {
    return std::move(comparison).error().with_context("comparing " + first + " and " + second);
  }
  return describe_comparison(*comparison);
}

Json diagnose_machine(Context& context) {
  const auto snapshot = device::take_snapshot(context.env(), "");
  Json findings = Json::array();
  for (const auto& finding : device::diagnose(context.env(), "")) {
    findings.push_back({{"subject", finding.subject},
                        {"available", finding.available},
                        {"detail", finding.detail},
                        {"unlock", finding.unlock}});
  }
  Json providers = Json::array();
  Json runtime_info = nullptr;
  if (auto runtime = context.runtime()) {
    runtime_info = {{"version", (*runtime)->version()}, {"library", (*runtime)->library_path()}};
    for (const auto& status : engine::probe_providers(**runtime)) {
      providers.push_back(
          {{"id", status.id}, {"available", status.available}, {"reason", status.reason}});
    }
  } else {
    runtime_info = {{"error", runtime.error().to_string()}};
  }
  return {{"cpu",
           {{"model", snapshot.cpu.model},
            {"logical_cores", snapshot.cpu.logical_cores},
            {"isa", snapshot.cpu.isa}}},
          {"onnxruntime", runtime_info},
          {"providers", providers},
          {"sensors", findings}};
}

}  // namespace wattwise::deploy
