// SPDX-License-Identifier: Apache-2.0
#include "deploy/examine.h"

#include <map>

#include "deploy/efficiency.h"
#include "deploy/samples.h"
#include "deploy/to_json.h"
#include "device/doctor.h"
#include "device/snapshot.h"
#include "engine/providers.h"
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
  for (const PortInfo& port : ports) {
    if (!port.optional_input) out.push_back(to_document(port));
  }
  return out;
}

Json names_of_defaults(const std::vector<PortInfo>& ports) {
  Json out = Json::array();
  for (const PortInfo& port : ports) {
    if (port.optional_input) out.push_back(port.name);
  }
  return out;
}

Json count_operators(const model::Inspection& inspection) {
  std::map<std::string, int64_t> counts;
  for (const auto& node : inspection.nodes) ++counts[node.op_type];
  return counts;
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
              {"inputs_with_defaults", names_of_defaults(inputs)},
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
