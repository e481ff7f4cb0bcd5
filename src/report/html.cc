// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "core/text.h"
#include "report/formats.h"

namespace wattwise::report {
namespace {

constexpr std::string_view kPageStyle = R"(
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { overflow-wrap: anywhere; font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884; }
td:nth-child(2) { font-variant-numeric: tabular-nums; }
td:nth-child(3), .note { color: color-mix(in srgb, currentColor 65%, transparent); }
td:nth-child(3), .note { font-size: .9rem; }
)";

std::string device_table(const ReportData& data) {
  std::string out = "<table><caption class=\"note\">This device</caption>";
  for (const auto& [part, state] : data.device_state.items()) {
    out += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape_markup(part),
                       escape_markup(readable(state)));
  }
  return out + "</table>\n";
}

std::string html_section(const ModelReport& model, const Json& metrics) {
  std::string out = fmt::format(
      "<section><h2>{}</h2><p>{} model, {}, {} inferences{}</p>\n", escape_markup(model.path),
      escape_markup(model.model_type.empty() ? "Unknown" : model.model_type),
      escape_markup(model.status), model.inference_count,
      model.quantization_method.empty()
          ? ""
          : ", quantization: " + escape_markup(model.quantization_method));
  out += "<table><thead><tr><th>Figure</th><th>Value</th><th>Origin</th></tr></thead><tbody>\n";
  for (const MetricRow& row : metric_rows(model, metrics)) {
    out += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n", escape_markup(row.label),
                       escape_markup(row.value), escape_markup(row.origin));
  }
  out += "</tbody></table>\n";
  if (!model.optimizations_applied.empty()) out += "<p>Applied:</p><ul>";
  for (const auto& item : model.optimizations_applied) {
    out += fmt::format("<li>{} ({} nodes)</li>", escape_markup(item.name), item.node_count);
  }
  if (!model.optimizations_applied.empty()) out += "</ul>";
  if (!model.layers.empty()) out += "<p>Layers:</p><ul>";
  for (const auto& layer : model.layers) {
    out += fmt::format("<li>{}</li>", escape_markup(describe_layer(layer)));
  }
  return out + (model.layers.empty() ? "" : "</ul>") + "</section>\n";
}

}  // namespace

std::string escape_markup(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string begin_page(std::string_view title) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
      "<title>{}</title><style>{}</style></head><body>\n",
      title, kPageStyle);
}

std::string render_html(const ReportData& data, const Json& metrics) {
  std::string out = begin_page("Power efficiency report");
  out += fmt::format("<h1>Power efficiency report</h1><p>{}, target {}, profile {}</p>\n",
                     format_timestamp(data.timestamp), escape_markup(data.config.deployment_target),
                     escape_markup(data.config.power_profile));
  out += device_table(data);
  if (data.models.empty()) out += "<p>No model has been prepared or run yet.</p>\n";
  for (const ModelReport& model : data.models) out += html_section(model, metrics);
  if (!data.recommendations.empty()) out += "<h2>Recommendations</h2><ul>\n";
  for (const Recommendation& item : data.recommendations) {
    out +=
        fmt::format("<li>{}: {}</li>\n", escape_markup(item.title), escape_markup(item.evidence));
  }
  if (!data.recommendations.empty()) out += "</ul>\n";
  return out + "</body></html>\n";
}

}  // namespace wattwise::report
