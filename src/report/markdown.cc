// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "core/text.h"
#include "report/formats.h"

namespace wattwise::report {
namespace {

/// Text that Markdown must not take for its own signs.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("\\`*_{}[]<>|#").find(c) != std::string_view::npos) out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string device_line(const ReportData& data) {
  std::string out;
  for (const auto& [part, state] : data.device_state.items()) {
    out += fmt::format("- {}: {}\n", part, escaped(readable(state)));
  }
  return out;
}

std::string model_section(const ModelReport& model, const Json& metrics) {
  std::string out = fmt::format("## {}\n\n", escaped(model.path));
  out += fmt::format("{} model, {}, {} inferences",
                     model.model_type.empty() ? "Unknown" : model.model_type, model.status,
                     model.inference_count);
  if (!model.quantization_method.empty()) {
    out += fmt::format(", quantization: {}", escaped(model.quantization_method));
  }
  out += "\n\n| figure | value | origin |\n|---|---|---|\n";
  for (const MetricRow& row : metric_rows(model, metrics)) {
    out += fmt::format("| {} | {} | {} |\n", escaped(row.label), row.value, escaped(row.origin));
  }
  if (!model.optimizations_applied.empty()) {
    out += "\nApplied:\n\n";
    for (const auto& item : model.optimizations_applied) {
      out += fmt::format("- {} ({} nodes)\n", escaped(item.name), item.node_count);
    }
  }
  return out + "\n";
}

}  // namespace

std::string render_markdown(const ReportData& data, const Json& metrics) {
  std::string out =
      fmt::format("# Power efficiency report\n\n{}, target {}, profile {}\n\n",
                  format_timestamp(data.timestamp), escaped(data.config.deployment_target),
                  escaped(data.config.power_profile));
  out += "This device:\n\n" + device_line(data) + "\n";
  if (data.models.empty()) out += "No model has been prepared or run yet.\n\n";
  for (const ModelReport& model : data.models) out += model_section(model, metrics);
  if (!data.recommendations.empty()) out += "## Recommendations\n\n";
  for (const Recommendation& item : data.recommendations) {
    out += fmt::format("- {}: {}\n", escaped(item.title), escaped(item.evidence));
  }
  return out;
}

}  // namespace wattwise::report
