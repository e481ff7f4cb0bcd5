// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <functional>

#include "report/report.h"

namespace wattwise::report {
namespace {

constexpr double kLowBatteryPercent = 20;
constexpr double kDearPercentPerHour = 5;
constexpr double kSmallReduction = 2;

void about_battery(const ReportData& data, std::vector<Recommendation>& out) {
  const auto battery = data.device_state.find("battery");
  if (battery == data.device_state.end() || !battery->is_object()) return;
  const Json level = battery->value("level_percent", Json(nullptr));
  const bool discharging = battery->value("is_charging", Json(nullptr)) == Json(false);
  if (!level.is_number() || !discharging || level.get<double>() >= kLowBatteryPercent) return;
  out.push_back(
      {"Save power: the battery is low",
       fmt::format("{:.0f} % and discharging, read from this device", level.get<double>())});
}

using FigureOf = std::function<std::optional<double>(const char* id)>;

/// Limits that the user set and the figures exceed.
void about_limits(const Config& config, const ModelReport& model, const FigureOf& figure,
                  std::vector<Recommendation>& out) {
  const auto deadline = config.inference_optimization.latency_deadline_ms;
  const auto mean = figure("average_inference_time_ms");
  if (deadline && mean && *mean > *deadline) {
    out.push_back({"Make " + model.path + " faster: it misses its deadline",
                   fmt::format("{:.1f} ms on average (measured), latency_deadline_ms is {:.1f}",
                               *mean, *deadline)});
  }
  const PowerManagementConfig& limits = config.power_management;
  const auto power = figure("power_consumption_mw");
  if (power && limits.power_limit_mw && *power > *limits.power_limit_mw) {
    out.push_back({"Lower the request rate of " + model.path + " or prepare it smaller",
                   fmt::format("{:.0f} mW (estimated) are above power_limit_mw of {:.0f}", *power,
                               *limits.power_limit_mw)});
  }
  if (power && limits.energy_budget_wh && limits.target_hours) {
    const double needed = *power * 1e-3 * *limits.target_hours;
    if (needed > *limits.energy_budget_wh) {
      out.push_back({"Run " + model.path + " less often: the energy budget does not last",
                     fmt::format("{:.1f} Wh (estimated) in {:.1f} h, energy_budget_wh is {:.1f}",
                                 needed, *limits.target_hours, *limits.energy_budget_wh)});
    }
  }
}

void about_model(const Config& config, const ModelReport& model, std::vector<Recommendation>& out) {
  const FigureOf figure = [&](const char* id) -> std::optional<double> {
    const auto it = model.figures.find(id);
    return it == model.figures.end() ? std::nullopt : it->second.value;
  };
  about_limits(config, model, figure, out);
  if (const auto impact = figure("battery_impact_percent_per_hour");
      impact && *impact > kDearPercentPerHour) {
    out.push_back({"Run " + model.path + " less often or prepare it under a saving profile",
                   fmt::format("{:.1f} % of the battery per hour (estimated)", *impact)});
  }
  if (model.quantization_method == "none") {
    out.push_back(
        {"Try int8 or int4 for " + model.path, "it was left in float; its decisions say why"});
  }
  const auto ratio = figure("size_reduction_ratio");
  if (model.status == "ready" && ratio && *ratio < kSmallReduction) {
    out.push_back({"Look for a smaller form of " + model.path,
                   fmt::format("it became only {:.2f} times smaller", *ratio)});
  }
}

}  // namespace

std::vector<Recommendation> recommend(const ReportData& data) {
  std::vector<Recommendation> out;
  about_battery(data, out);
  for (const ModelReport& model : data.models) about_model(data.config, model, out);
  return out;
}

}  // namespace wattwise::report
