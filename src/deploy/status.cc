// SPDX-License-Identifier: Apache-2.0
#include "deploy/status.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "deploy/thermal.h"

namespace wattwise::deploy {
namespace {

Result<std::vector<store::ModelSummary>> summaries(Context& context, const std::string& path) {
  auto* store = WATTWISE_TRY(context.store_to_read());
  if (path.empty()) return store ? store->models() : std::vector<store::ModelSummary>();
  if (!store) {
    return Error(ErrorCode::kNotFound,
                 fmt::format("nothing is recorded of the model {}. Prepare or load it first.",
                             absolute_path(context.env(), path)));
  }
  return std::vector<store::ModelSummary>{
      WATTWISE_TRY(store->model(absolute_path(context.env(), path)))};
}

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json statistics(const store::ModelSummary& model) {
  return {{"inference_count", model.inference_count},
          {"total_inference_time_seconds", model.total_inference_time_seconds},
          {"average_inference_time_ms", or_null(model.average_ms)},
          {"p50_inference_time_ms", or_null(model.p50_ms)},
          {"p99_inference_time_ms", or_null(model.p99_ms)},
          {"last_used_at",
           model.last_used_at ? Json(format_timestamp(*model.last_used_at)) : Json(nullptr)}};
}

std::string status_word(const store::ModelSummary& model) {
  return model.preparation ? model.preparation->status : "not prepared";
}

Json model_status(Context& context, const store::ModelSummary& model) {
  Json preparation = nullptr;
  if (model.preparation) {
    preparation = model.preparation->record.is_null() ? Json::object() : model.preparation->record;
    preparation["status"] = model.preparation->status;
    if (!model.preparation->error.empty()) preparation["error"] = model.preparation->error;
    preparation["finished_at"] = format_timestamp(model.preparation->finished_at);
  }
  return {{"model_path", model.model_path},
          {"status", status_word(model)},
          {"active", context.models().find(model.model_path) != nullptr},
          {"preparation", preparation},
          {"statistics", statistics(model)}};
}

Origin parse_origin(const std::string& name) {
  if (name == "measured") return Origin::kMeasured;
  return name == "estimated" ? Origin::kEstimated : Origin::kAbsent;
}

std::optional<double> number(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it == object.end() || !it->is_number() ? std::nullopt : std::optional(it->get<double>());
}

Figure read_figure(const Json& json) {
  return {number(json, "value"), number(json, "low"), number(json, "high"),
          parse_origin(json.value("origin", "absent")), json.value("method", "")};
}

/// The layers of which a share of the error or a cause is known.
void add_layers(const Json& record, report::ModelReport& model) {
  const Json details = record.value("quantization_details", Json::object());
  for (const auto& item : details.value("layers", Json::array())) {
    LayerQuantization layer;
    layer.layer = item.value("layer", "");
    layer.weight = item.value("weight", "");
    layer.precision = item.value("precision", "");
    layer.hurt_by = item.value("hurt_by", "");
    layer.action = item.value("action", "");
    layer.estimated_error_percent = number(item, "estimated_error_percent");
    layer.measured_error_percent = number(item, "measured_error_percent");
    const bool is_known = layer.estimated_error_percent || layer.measured_error_percent;
    if (is_known || !layer.hurt_by.empty()) model.layers.push_back(std::move(layer));
  }
}

void add_recorded_figures(const Json& record, report::ModelReport& model) {
  if (const auto it = record.find("provenance"); it != record.end()) {
    for (const auto& [id, figure] : it->items()) model.figures[id] = read_figure(figure);
  }
  for (const char* id : {"size_reduction_ratio", "original_size_bytes", "optimized_size_bytes",
                         "preparation_time_seconds"}) {
    if (const auto value = number(record, id)) {
      model.figures[id] = Figure::measured(*value, "preparation record");
    }
  }
  for (const auto& item : record.value("optimizations_applied", Json::array())) {
    model.optimizations_applied.push_back({item.value("name", ""), item.value("node_count", 0)});
  }
  for (const auto& item : record.value("decisions", Json::array())) {
    model.decisions.push_back(
        {item.value("action", ""), item.value("subject", ""), item.value("reason", "")});
  }
  add_layers(record, model);
}

void add_times(const store::ModelSummary& summary, report::ModelReport& model) {
  const std::string method = std::to_string(summary.inference_count) + " inferences, wall clock";
  const auto add = [&](const char* id, const std::optional<double>& value) {
    model.figures[id] =
        value ? Figure::measured(*value, method) : Figure::absent("no inference has been recorded");
  };
  add("average_inference_time_ms", summary.average_ms);
  add("p50_inference_time_ms", summary.p50_ms);
  add("p99_inference_time_ms", summary.p99_ms);
}

report::ModelReport model_report(Context& context, const store::ModelSummary& summary) {
  report::ModelReport model;
  model.path = summary.model_path;
  model.status = status_word(summary);
  model.active = context.models().find(summary.model_path) != nullptr;
  model.inference_count = summary.inference_count;
  if (summary.last_load) model.model_type = summary.last_load->model_type;
  if (summary.preparation && summary.preparation->record.is_object()) {
    const Json& record = summary.preparation->record;
    model.model_type = record.value("model_type", model.model_type);
    model.quantization_method = record.value("quantization_method", "");
    add_recorded_figures(record, model);
  }
  add_times(summary, model);
  return model;
}

}  // namespace

Result<Json> status(Context& context, const std::string& model_path) {
  const auto models = WATTWISE_TRY(summaries(context, model_path));
  if (!model_path.empty()) return model_status(context, models.front());
  const config::Resolved resolved = context.resolved();
  Json deployed = Json::object();
  for (const auto& model : models) deployed[model.model_path] = model_status(context, model);
  const auto successes = std::count_if(models.begin(), models.end(),
                                       [](const auto& model) { return model.is_deployed(); });
  const auto active = context.models().loaded().size();
  return Json{{"deployment_target", resolved.config.deployment_target},
              {"power_profile", resolved.config.power_profile},
              {"monitoring_active", active > 0 && resolved.config.thermal_management.enabled},
              {"active_models_count", active},
              {"deployed_models_count", successes},
              {"failed_models_count", static_cast<int64_t>(models.size()) - successes},
              {"deployed_models", deployed},
              {"device_state", device_state(context)}};
}

Result<report::ReportData> report_data(Context& context, const std::string& model_path) {
  report::ReportData data;
  const config::Resolved resolved = context.resolved();
  data.timestamp = context.env().wall_now().count();
  data.config = resolved.config;
  data.device_state = device_state(context);
  for (const auto& summary : WATTWISE_TRY(summaries(context, model_path))) {
    data.models.push_back(model_report(context, summary));
  }
  data.recommendations = report::recommend(data);
  return data;
}

}  // namespace wattwise::deploy
