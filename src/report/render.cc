// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>

#include "core/text.h"
#include "report/formats.h"

namespace wattwise::report {
namespace {

constexpr std::array kFormats = {
    FormatRow{"json", "application/json", render_json},
    FormatRow{"markdown", "text/markdown", render_markdown},
    FormatRow{"html", "text/html", render_html},
};

}  // namespace

std::span<const FormatRow> format_table() { return kFormats; }

Result<std::string> render(const ReportData& data, std::string_view format, const Json& metrics) {
  std::vector<std::string> known;
  for (const FormatRow& row : kFormats) {
    if (equals_ignoring_case(row.name, format)) return row.render(data, metrics);
    known.emplace_back(row.name);
  }
  return Error(ErrorCode::kInvalidArgument, fmt::format("there is no report format \"{}\".{}",
                                                        format, suggestion(format, known)));
}

std::string describe_layer(const LayerQuantization& layer) {
  std::string out = fmt::format("{} ({})", layer.layer, layer.precision);
  if (layer.measured_error_percent) {
    out += fmt::format(": {:.2f} % of the outputs' error", *layer.measured_error_percent);
  } else if (layer.estimated_error_percent) {
    out +=
        fmt::format(": estimated {:.2f} % of the outputs' error", *layer.estimated_error_percent);
  }
  if (!layer.hurt_by.empty()) out += "; hurt by " + layer.hurt_by;
  if (!layer.action.empty()) out += "; " + layer.action;
  return out;
}

std::vector<MetricRow> metric_rows(const ModelReport& model, const Json& metrics) {
  std::vector<MetricRow> rows;
  for (const Json& metric : metrics.value("metrics", Json::array())) {
    const auto it = model.figures.find(metric.value("id", ""));
    if (it == model.figures.end()) continue;
    const Figure& figure = it->second;
    MetricRow row{metric.value("label", ""), "not available", figure.method};
    if (figure.value) {
      const std::string unit = metric.value("unit", "");
      row.value = fmt::format("{:.4g} {}", *figure.value, unit);
      if (figure.low && figure.high) {
        row.value += fmt::format(" ({:.3g} to {:.3g})", *figure.low, *figure.high);
      }
      row.origin =
          (figure.origin == Origin::kMeasured ? "measured: " : "estimated: ") + figure.method;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace wattwise::report
