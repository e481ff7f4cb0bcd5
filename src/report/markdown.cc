// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cctype>

#include "core/text.h"
#include "report/formats.h"

namespace wattwise::report {
namespace {

bool is_word(std::string_view text, size_t at) {
  return at < text.size() && std::isalnum(static_cast<unsigned char>(text[at])) != 0;
}

/// Text that Markdown must not take for its own signs. An underscore within a word is none, and
/// some are only at the start.
std::string escaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool inside = c == '_' && i > 0 && is_word(text, i - 1) && is_word(text, i + 1);
    const bool sign = std::string_view("\\`*_[<|").find(c) != std::string_view::npos;
    const bool first = i == 0 && std::string_view("#>+-").find(c) != std::string_view::npos;
    if ((sign && !inside) || first) out += '\\';
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

std::string markdown_section(const ModelReport& model, const Json& metrics) {
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
  if (!model.layers.empty()) {
    out += "\nLayers:\n\n";
    for (const auto& layer : model.layers) {
      out += fmt::format("- {}\n", escaped(describe_layer(layer)));
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
  for (const ModelReport& model : data.models) out += markdown_section(model, metrics);
  if (!data.recommendations.empty()) out += "## Recommendations\n\n";
  for (const Recommendation& item : data.recommendations) {
    out += fmt::format("- {}: {}\n", escaped(item.title), escaped(item.evidence));
  }
  return out;
}

}  // namespace wattwise::report
