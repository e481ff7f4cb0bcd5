// SPDX-License-Identifier: Apache-2.0
#include "deploy/from_json.h"

#include <cmath>
#include <limits>

namespace wattwise::deploy {
namespace {

/// What to_json.cc writes for numbers that JSON has not.
double read_number(const Json& value) {
  if (value.is_string()) return std::numeric_limits<double>::infinity();
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

std::optional<double> read_optional(const Json& value) {
  return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

Origin read_origin(const std::string& name) {
  if (name == "measured") return Origin::kMeasured;
  return name == "estimated" ? Origin::kEstimated : Origin::kAbsent;
}

Figures read_figures(const Json& document) {
  Figures figures;
  for (const auto& [id, figure] : document.items()) {
    figures[id] = {read_optional(figure.at("value")), read_optional(figure.at("low")),
                   read_optional(figure.at("high")),
                   read_origin(figure.at("origin").get<std::string>()),
                   figure.at("method").get<std::string>()};
  }
  return figures;
}

PowerEfficiency read_efficiency(const Json& metrics, const Json& provenance) {
  PowerEfficiency out;
  out.figures = read_figures(provenance);
  out.device = metrics.at("device").get<std::string>();
  out.request_rate_qps = metrics.at("request_rate_qps").get<double>();
  out.risk_reason = metrics.at("risk_reason").get<std::string>();
  const Json& risk = metrics.at("thermal_throttling_risk");
  if (risk.is_string()) out.thermal_throttling_risk = risk.get<std::string>();
  return out;
}

Accuracy read_accuracy(const Json& document) {
  Accuracy accuracy;
  accuracy.compared_by = document.at("compared_by").get<std::string>();
  accuracy.drop_percent = read_number(document.at("drop_percent"));
  accuracy.data = document.at("data").get<std::string>();
  accuracy.execution = document.at("execution").get<std::string>();
  accuracy.samples = document.at("samples").get<int64_t>();
  if (const Json& task = document.at("task"); !task.is_null()) {
    accuracy.task = {task.at("metric").get<std::string>(), task.at("original").get<double>(),
                     task.at("prepared").get<double>(), task.at("data").get<std::string>(),
                     task.at("samples").get<int64_t>()};
  }
  for (const auto& [name, output] : document.at("outputs").items()) {
    accuracy.outputs.push_back(
        {name, read_number(output.at("sqnr_db")), read_number(output.at("cosine")),
         read_number(output.at("max_abs_error")), read_number(output.at("max_relative_error"))});
  }
  return accuracy;
}

void read_lists(const Json& document, PrepareResult& result) {
  for (const Json& item : document.at("optimizations_applied")) {
    result.optimizations_applied.push_back(
        {item.at("name").get<std::string>(), item.at("node_count").get<int64_t>()});
  }
  for (const Json& decision : document.at("decisions")) {
    result.decisions.push_back({decision.at("action").get<std::string>(),
                                decision.at("subject").get<std::string>(),
                                decision.at("reason").get<std::string>()});
  }
  const Json& details = document.at("quantization_details");
  result.quantization_scheme = details.at("scheme").get<std::string>();
  for (const Json& layer : details.at("layers")) {
    result.layers.push_back(
        {layer.at("layer").get<std::string>(), layer.at("weight").get<std::string>(),
         layer.at("precision").get<std::string>(), layer.at("elements").get<int64_t>(),
         read_number(layer.at("weight_sqnr_db")), layer.value("hurt_by", ""),
         read_optional(layer.value("estimated_error_percent", Json())),
         read_optional(layer.value("measured_error_percent", Json())), layer.value("action", "")});
  }
}

PrepareResult read(const Json& document, const Json& original_provenance) {
  const auto text = [&](const char* key) { return document.at(key).get<std::string>(); };
  PrepareResult result;
  result.input_model_path = text("input_model_path");
  result.output_model_path = text("output_model_path");
  result.model_type = text("model_type");
  result.deployment_target = text("deployment_target");
  result.power_profile = text("power_profile");
  result.quantization_method = text("quantization_method");
  result.requested_quantization_method = text("requested_quantization_method");
  result.status = text("status");
  result.bundle_path = text("bundle_path");
  result.preparation_time_seconds = document.at("preparation_time_seconds").get<double>();
  result.size_reduction_ratio = document.at("size_reduction_ratio").get<double>();
  result.original_size_bytes = document.at("original_size_bytes").get<int64_t>();
  result.optimized_size_bytes = document.at("optimized_size_bytes").get<int64_t>();
  result.accuracy = read_accuracy(document.at("accuracy"));
  read_lists(document, result);
  const Json& metrics = document.at("power_efficiency_metrics");
  result.power_efficiency = read_efficiency(metrics, document.at("provenance"));
  result.original_power_efficiency = read_efficiency(metrics.at("original"), original_provenance);
  return result;
}

}  // namespace

Result<PrepareResult> read_prepare_result(const Json& document, const Json& original_provenance) {
  try {
    return read(document, original_provenance);
  } catch (const Json::exception& error) {
    return Error(ErrorCode::kCorrupt, error.what());
  }
}

}  // namespace wattwise::deploy
