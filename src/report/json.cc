// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "core/text.h"
#include "report/formats.h"

namespace wattwise::report {
namespace {

Json number(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? Json(*value) : Json(nullptr);
}

std::string_view origin_name(Origin origin) {
  if (origin == Origin::kMeasured) return "measured";
  return origin == Origin::kEstimated ? "estimated" : "absent";
}

Json layers_json(const std::vector<LayerQuantization>& layers) {
  Json out = Json::array();
  for (const LayerQuantization& layer : layers) {
    out.push_back({{"layer", layer.layer},
                   {"weight", layer.weight},
                   {"precision", layer.precision},
                   {"hurt_by", layer.hurt_by},
                   {"estimated_error_percent", number(layer.estimated_error_percent)},
                   {"measured_error_percent", number(layer.measured_error_percent)},
                   {"action", layer.action}});
  }
  return out;
}

Json model_json(const ModelReport& model) {
  Json out = {
      {"model_type", model.model_type},
      {"status", model.status},
      {"active", model.active},
      {"inference_count", model.inference_count},
      {"quantization_method",
       model.quantization_method.empty() ? Json(nullptr) : Json(model.quantization_method)}};
  Json applied = Json::array();
  for (const auto& item : model.optimizations_applied) {
    applied.push_back({{"name", item.name}, {"node_count", item.node_count}});
  }
  out["optimizations_applied"] = applied;
  out["layers"] = layers_json(model.layers);
  Json provenance = Json::object();
  for (const auto& [id, figure] : model.figures) {
    out[id] = number(figure.value);
    provenance[id] = {{"value", number(figure.value)},
                      {"low", number(figure.low)},
                      {"high", number(figure.high)},
                      {"origin", origin_name(figure.origin)},
                      {"method", figure.method}};
  }
  out["provenance"] = provenance;
  return out;
}

}  // namespace

Json to_json(const ReportData& data) {
  Json models = Json::object();
  for (const ModelReport& model : data.models) models[model.path] = model_json(model);
  Json recommendations = Json::array();
  for (const Recommendation& item : data.recommendations) {
    recommendations.push_back({{"title", item.title}, {"evidence", item.evidence}});
  }
  return {{"schema_version", 1},
          {"timestamp", format_timestamp(data.timestamp)},
          {"deployment_target", data.config.deployment_target},
          {"power_profile", data.config.power_profile},
          {"device_state", data.device_state},
          {"models", models},
          {"recommendations", recommendations},
          {"provenance", "each model carries its own; device_state is read from this machine"}};
}

std::string render_json(const ReportData& data, const Json&) {
  return write_json(to_json(data), 2) + "\n";
}

}  // namespace wattwise::report
