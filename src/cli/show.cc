// SPDX-License-Identifier: Apache-2.0
#include "cli/show.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/text.h"

namespace wattwise::cli {

std::string show_figure(const Figure& figure, std::string_view unit) {
  if (!figure.value || !std::isfinite(*figure.value)) {
    return fmt::format("not available ({})", figure.method);
  }
  const std::string number = fmt::format("{:.3g} {}", *figure.value, unit);
  const std::string range =
      figure.low && figure.high ? fmt::format(", {:.3g} to {:.3g}", *figure.low, *figure.high) : "";
  if (figure.low && !figure.high) {
    return fmt::format("{} (estimated, at least {:.3g}: {})", number, *figure.low, figure.method);
  }
  if (figure.origin == Origin::kMeasured) {
    return fmt::format("{} (measured{}: {})", number, range, figure.method);
  }
  return fmt::format("{} (estimated{})", number, range);
}

void Lines::add(std::string label, std::string value) {
  lines_.push_back({std::move(label), std::move(value), false});
}

void Lines::add(std::string line) { lines_.push_back({std::move(line), "", true}); }

std::string Lines::to_string() const {
  size_t width = 0;
  for (const Line& line : lines_) width = std::max(width, line.whole ? 0 : line.label.size());
  std::string out;
  for (const Line& line : lines_) {
    out +=
        line.whole ? line.label + "\n" : fmt::format("{:<{}}  {}\n", line.label, width, line.value);
  }
  return out;
}

std::string show_decisions(const std::vector<Decision>& decisions) {
  std::string out;
  for (const Decision& decision : decisions) {
    out += fmt::format("  {}  {}: {}\n", decision.action, decision.subject, decision.reason);
  }
  return out;
}

std::string show_layers(const std::vector<LayerQuantization>& layers) {
  const auto percent = [](const std::optional<double>& share) {
    return share ? fmt::format("{:.2f} %", *share) : std::string("not available");
  };
  std::string out;
  for (const LayerQuantization& layer : layers) {
    out += fmt::format("  {}  {}, weights: {}", layer.layer, layer.precision,
                       format_decibels(layer.weight_sqnr_db));
    if (layer.measured_error_percent || layer.estimated_error_percent) {
      out += fmt::format(", share of the error {} (estimated {})",
                         percent(layer.measured_error_percent),
                         percent(layer.estimated_error_percent));
    }
    if (!layer.hurt_by.empty()) out += "; hurt by " + layer.hurt_by;
    if (!layer.action.empty()) out += "; " + layer.action;
    out += '\n';
  }
  return out;
}

std::string show_count(int64_t count) {
  constexpr std::array<std::string_view, 4> kUnits = {"", " k", " M", " G"};
  auto scaled = static_cast<double>(count);
  size_t unit = 0;
  while (scaled >= 999.5 && unit + 1 < kUnits.size()) {
    scaled /= 1000;
    ++unit;
  }
  return unit == 0 ? std::to_string(count) : fmt::format("{:.3g}{}", scaled, kUnits[unit]);
}

}  // namespace wattwise::cli
