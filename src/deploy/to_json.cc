// SPDX-License-Identifier: Apache-2.0
#include "deploy/to_json.h"

#include <cmath>
#include <cstring>

#include "core/text.h"

namespace wattwise::deploy {
namespace {

/// Arrays up to this size are written out in JSON; larger ones only as type and shape.
constexpr int64_t kMaxElementsInJson = 1000;

Json number_or_null(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? Json(*value) : Json(nullptr);
}

/// JSON has no infinity: an exact match is written as the text "inf".
Json decibels(double value) {
  return std::isinf(value) && value > 0 ? Json("inf") : number_or_null(value);
}

std::string_view origin_name(Origin origin) {
  if (origin == Origin::kMeasured) return "measured";
  return origin == Origin::kEstimated ? "estimated" : "absent";
}

template <typename T>
Json list_values(const Tensor& tensor) {
  Json out = Json::array();
  for (const T value : tensor.values<T>()) {
    if constexpr (std::is_floating_point_v<T>) {
      out.push_back(number_or_null(value));
    } else {
      out.push_back(value);
    }
  }
  return out;
}

Json values_of(const Tensor& tensor) {
  switch (tensor.type) {
    case DataType::kFloat:
      return list_values<float>(tensor);
    case DataType::kDouble:
      return list_values<double>(tensor);
    case DataType::kInt64:
      return list_values<int64_t>(tensor);
    case DataType::kInt32:
      return list_values<int32_t>(tensor);
    case DataType::kUint8:
    case DataType::kBool:
      return list_values<uint8_t>(tensor);
    case DataType::kInt8:
      return list_values<int8_t>(tensor);
    case DataType::kString:
      return tensor.strings;
    default:
      return nullptr;
  }
}

Json to_document(const Tensor& tensor) {
  Json out = {{"type", data_type_name(tensor.type)}, {"shape", tensor.shape}};
  if (tensor.element_count() <= kMaxElementsInJson) out["values"] = values_of(tensor);
  return out;
}

Json quantization_details(const PrepareResult& result) {
  Json layers = Json::array();
  for (const LayerQuantization& layer : result.layers) {
    layers.push_back({{"layer", layer.layer},
                      {"weight", layer.weight},
                      {"precision", layer.precision},
                      {"elements", layer.elements},
                      {"weight_sqnr_db", decibels(layer.weight_sqnr_db)},
                      {"hurt_by", layer.hurt_by},
                      {"estimated_error_percent", number_or_null(layer.estimated_error_percent)},
                      {"measured_error_percent", number_or_null(layer.measured_error_percent)},
                      {"action", layer.action}});
  }
  return {{"scheme", result.quantization_scheme}, {"layers", layers}};
}

}  // namespace

Json to_document(const Accuracy& accuracy) {
  Json outputs = Json::object();
  for (const OutputAccuracy& output : accuracy.outputs) {
    outputs[output.output] = {{"sqnr_db", decibels(output.sqnr_db)},
                              {"cosine", number_or_null(output.cosine)},
                              {"max_abs_error", number_or_null(output.max_abs_error)},
                              {"max_relative_error", number_or_null(output.max_relative_error)}};
  }
  Json task = nullptr;
  if (accuracy.task) {
    task = {{"metric", accuracy.task->metric},
            {"original", accuracy.task->original},
            {"prepared", accuracy.task->prepared},
            {"data", accuracy.task->data},
            {"samples", accuracy.task->samples}};
  }
  return {{"compared_by", accuracy.compared_by},
          {"task", task},
          {"drop_percent", number_or_null(accuracy.drop_percent)},
          {"data", accuracy.data},
          {"execution", accuracy.execution},
          {"samples", accuracy.samples},
          {"outputs", outputs}};
}

Json to_document(const Figure& figure) {
  return {{"value", number_or_null(figure.value)},
          {"low", number_or_null(figure.low)},
          {"high", number_or_null(figure.high)},
          {"origin", origin_name(figure.origin)},
          {"method", figure.method}};
}

Json flat_values(const Figures& figures) {
  Json out = Json::object();
  for (const auto& [id, figure] : figures) out[id] = number_or_null(figure.value);
  return out;
}

Json provenance(const Figures& figures) {
  Json out = Json::object();
  for (const auto& [id, figure] : figures) out[id] = to_document(figure);
  return out;
}

Json to_document(const std::vector<Decision>& decisions) {
  Json out = Json::array();
  for (const Decision& decision : decisions) {
    out.push_back(
        {{"action", decision.action}, {"subject", decision.subject}, {"reason", decision.reason}});
  }
  return out;
}

Json to_document(const std::vector<AppliedOptimization>& applied) {
  Json out = Json::array();
  for (const AppliedOptimization& item : applied) {
    out.push_back({{"name", item.name}, {"node_count", item.node_count}});
  }
  return out;
}

Json to_document(const PowerEfficiency& efficiency) {
  Json out = flat_values(efficiency.figures);
  out["thermal_throttling_risk"] = efficiency.thermal_throttling_risk.empty()
                                       ? Json(nullptr)
                                       : Json(efficiency.thermal_throttling_risk);
  out["request_rate_qps"] = efficiency.request_rate_qps;
  out["device"] = efficiency.device;
  out["risk_reason"] = efficiency.risk_reason;
  return out;
}

Json to_document(const PortInfo& port) {
  Json shape = Json::array();
  for (size_t axis = 0; axis < port.shape.size(); ++axis) {
    const bool named = port.shape[axis] < 0 && !port.dim_names[axis].empty();
    shape.push_back(named ? Json(port.dim_names[axis]) : Json(port.shape[axis]));
  }
  return {{"name", port.name}, {"type", data_type_name(port.type)}, {"shape", shape}};
}

Json to_document(const PrepareResult& result) {
  Json metrics = to_document(result.power_efficiency);
  metrics["original"] = to_document(result.original_power_efficiency);
  return {{"input_model_path", result.input_model_path},
          {"output_model_path", result.output_model_path},
          {"model_type", result.model_type},
          {"deployment_target", result.deployment_target},
          {"power_profile", result.power_profile},
          {"quantization_method", result.quantization_method},
          {"requested_quantization_method", result.requested_quantization_method},
          {"optimizations_applied", to_document(result.optimizations_applied)},
          {"decisions", to_document(result.decisions)},
          {"preparation_time_seconds", result.preparation_time_seconds},
          {"status", result.status},
          {"size_reduction_ratio", result.size_reduction_ratio},
          {"original_size_bytes", result.original_size_bytes},
          {"optimized_size_bytes", result.optimized_size_bytes},
          {"accuracy", to_document(result.accuracy)},
          {"quantization_details", quantization_details(result)},
          {"bundle_path", result.bundle_path},
          {"power_efficiency_metrics", metrics},
          {"provenance", provenance(result.power_efficiency.figures)}};
}

Json to_document(const LoadResult& result) {
  Json inputs = Json::array();
  for (const PortInfo& port : result.inputs) inputs.push_back(to_document(port));
  Json outputs = Json::array();
  for (const PortInfo& port : result.outputs) outputs.push_back(to_document(port));
  return {{"model_path", result.model_path},
          {"model_type", result.model_type},
          {"status", result.status},
          {"loading_time_seconds", result.loading_time_seconds},
          {"loaded_at", format_timestamp(result.loaded_at)},
          {"last_used_at",
           result.last_used_at > 0 ? Json(format_timestamp(result.last_used_at)) : Json(nullptr)},
          {"inference_count", result.inference_count},
          {"total_inference_time_seconds", result.total_inference_time_seconds},
          {"power_metrics", to_document(result.power_metrics)},
          {"provenance", provenance(result.power_metrics.figures)},
          {"inputs", inputs},
          {"outputs", outputs},
          {"execution_provider", result.execution_provider},
          {"operating_point", result.operating_point},
          {"decisions", to_document(result.decisions)}};
}

Json to_document(const InferenceResult& result) {
  Json outputs = Json::object();
  for (const auto& [name, tensor] : result.outputs) outputs[name] = to_document(tensor);
  return {{"model_path", result.model_path},
          {"status", result.status},
          {"inference_time_seconds", result.inference_time_seconds},
          {"batch_size", result.batch_size},
          {"outputs", outputs},
          {"thermal_throttling", result.thermal_throttling},
          {"throttling_level", result.throttling_level},
          {"operating_point", result.operating_point},
          {"energy_mj", number_or_null(result.energy_mj.value)},
          {"provenance", {{"energy_mj", to_document(result.energy_mj)}}},
          {"decisions", to_document(result.decisions)}};
}

Json to_document(const ThermalStatus& status) {
  return {{"thermal_status", status.thermal_status},
          {"thermal_throttling", status.thermal_throttling},
          {"throttling_level", status.throttling_level},
          {"temperatures", status.temperatures},
          {"trends", nullptr},
          {"forecast", nullptr},
          {"headroom", status.headroom},
          {"origin", status.origin},
          {"reason", status.reason}};
}

Json bundle_facts(const PrepareResult& result) {
  Json facts = {{"model_type", result.model_type},
                {"deployment_target", result.deployment_target},
                {"power_profile", result.power_profile},
                {"quantization_method", result.quantization_method},
                {"optimizations_applied", to_document(result.optimizations_applied)},
                {"accuracy", to_document(result.accuracy)},
                {"power_efficiency_metrics", to_document(result.power_efficiency)},
                {"provenance", provenance(result.power_efficiency.figures)}};
  facts["size_reduction_ratio"] = result.size_reduction_ratio;
  facts["wattwise_version"] = version();
  return facts;
}

}  // namespace wattwise::deploy

namespace wattwise {

std::string to_json(const PrepareResult& result) {
  return write_json(deploy::to_document(result), 2);
}
std::string to_json(const LoadResult& result) { return write_json(deploy::to_document(result), 2); }
std::string to_json(const InferenceResult& result) {
  return write_json(deploy::to_document(result), 2);
}
std::string to_json(const ThermalStatus& status) {
  return write_json(deploy::to_document(status), 2);
}

}  // namespace wattwise
