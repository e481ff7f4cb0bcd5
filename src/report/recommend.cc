// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

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

void about_model(const ModelReport& model, std::vector<Recommendation>& out) {
  const auto figure = [&](const char* id) -> std::optional<double> {
    const auto it = model.figures.find(id);
    return it == model.figures.end() ? std::nullopt : it->second.value;
  };
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
  for (const ModelReport& model : data.models) about_model(model, out);
  return out;
}

}  // namespace wattwise::report
