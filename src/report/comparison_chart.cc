// SPDX-License-Identifier: Apache-2.0
#include "report/comparison_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "report/formats.h"

namespace wattwise::report {
namespace {

// All in units of the picture.
constexpr double kWidth = 900;
constexpr double kLeft = 70;
constexpr double kRight = kWidth - 45;
constexpr double kErrorTop = 50;
constexpr double kErrorBottom = 290;
constexpr double kTimeTop = 380;
constexpr double kTimeBottom = 530;
constexpr double kHeight = 580;

/// Errors below this are drawn as none: float arithmetic rounds more.
constexpr double kLeastError = 1e-9;
constexpr size_t kBins = 40;

constexpr std::string_view kChartStyle = R"(
svg { color-scheme: light dark; font: 13px system-ui, sans-serif; }
.back { fill: Canvas; } text { fill: CanvasText; } .title { font-size: 16px; }
.axis { stroke: CanvasText; stroke-opacity: .5; } .grid { stroke: CanvasText; stroke-opacity: .12; }
.end { text-anchor: end; } .middle { text-anchor: middle; }
.error { fill: #b5371f; } .first { fill: #2f6fb0; } .second { fill: #d98324; }
.bar { fill-opacity: .6; }
)";

std::string text(double x, double y, std::string_view kind, std::string_view content) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"{}\">{}</text>\n", x, y, kind,
                     escape_markup(content));
}

/// From the left edge to the right one.
std::string line(double y, std::string_view kind) {
  return fmt::format(
      "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"{}\"/>\n", kLeft, y,
      kRight, y, kind);
}

/// Position of an error between 1e-9 and 10.
double error_height(double error) {
  if (!std::isfinite(error)) error = 10;
  const double exponent = std::log10(std::clamp(error, kLeastError, 10.0));
  const double share = (exponent - std::log10(kLeastError)) / (1 - std::log10(kLeastError));
  return kErrorBottom - share * (kErrorBottom - kErrorTop);
}

std::string draw_errors(const ComparisonChart& chart) {
  std::string out = text(kLeft, 30, "title", "Largest error of each value / its largest magnitude");
  for (int exponent = -9; exponent <= 1; ++exponent) {
    const double y = error_height(std::pow(10.0, exponent));
    out += line(y, "grid");
    out += text(kLeft - 8, y + 4, "end", exponent == -9 ? "equal" : fmt::format("1e{}", exponent));
  }
  out += line(kErrorBottom, "axis");
  if (chart.values.empty()) {
    out += text((kLeft + kRight) / 2, (kErrorTop + kErrorBottom) / 2, "middle",
                "The models have no values of the same name and shape");
  }
  const double step =
      (kRight - kLeft) / static_cast<double>(std::max<size_t>(1, chart.values.size()));
  for (size_t i = 0; i < chart.values.size(); ++i) {
    const ChartValue& value = chart.values[i];
    const double x = kLeft + (static_cast<double>(i) + 0.5) * step;
    out += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" class=\"error\"><title>{} ({}): {:.3g}</title>"
        "</circle>\n",
        x, error_height(value.relative_error), escape_markup(value.name),
        escape_markup(value.op_type), value.relative_error);
  }
  return out + text(kLeft, kErrorBottom + 22, "",
                    fmt::format("{} values that both models name alike, in the order of the graph",
                                chart.values.size()));
}

/// The range of times that is drawn: without the slowest hundredth, which other work made slow.
struct TimeRange {
  double low = 0;
  double high = 1;
};

TimeRange range_of(const ComparisonChart& chart) {
  std::vector<double> all = chart.first_ms;
  all.insert(all.end(), chart.second_ms.begin(), chart.second_ms.end());
  if (all.empty()) return {};
  std::sort(all.begin(), all.end());
  const double high = all[all.size() - 1 - all.size() / 100];
  return {all.front(), high > all.front() ? high : all.front() + 1};
}

std::array<size_t, kBins> count_times(const std::vector<double>& times, const TimeRange& range) {
  std::array<size_t, kBins> bins{};
  for (const double time : times) {
    const double share = (time - range.low) / (range.high - range.low);
    if (share > 1) continue;
    ++bins[std::min(kBins - 1, static_cast<size_t>(share * kBins))];
  }
  return bins;
}

std::string draw_bars(const std::vector<double>& times, const TimeRange& range,
                      std::string_view kind) {
  const auto bins = count_times(times, range);
  const auto most =
      static_cast<double>(std::max<size_t>(1, *std::max_element(bins.begin(), bins.end())));
  const double width = (kRight - kLeft) / kBins;
  std::string out;
  for (size_t i = 0; i < kBins; ++i) {
    if (bins[i] == 0) continue;
    const double height = (kTimeBottom - kTimeTop) * static_cast<double>(bins[i]) / most;
    out += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" class=\"bar {}\"/>\n",
        kLeft + static_cast<double>(i) * width, kTimeBottom - height, width, height, kind);
  }
  return out;
}

std::string draw_times(const ComparisonChart& chart) {
  const TimeRange range = range_of(chart);
  std::string out =
      text(kLeft, kTimeTop - 40, "title", "CPU time of an inference, both models measured in turn");
  out += text(kLeft, kTimeTop - 18, "first", "\u25a0 " + chart.first);
  out += text((kLeft + kRight) / 2, kTimeTop - 18, "second", "\u25a0 " + chart.second);
  out += draw_bars(chart.first_ms, range, "first") + draw_bars(chart.second_ms, range, "second");
  out += line(kTimeBottom, "axis");
  for (int i = 0; i <= 4; ++i) {
    const double share = i / 4.0;
    out += text(kLeft + share * (kRight - kLeft), kTimeBottom + 20, "middle",
                fmt::format("{:.3g} ms", range.low + share * (range.high - range.low)));
  }
  return out;
}

std::string error_table(const ComparisonChart& chart) {
  std::vector<ChartValue> values = chart.values;
  const size_t shown = std::min<size_t>(20, values.size());
  std::partial_sort(
      values.begin(), values.begin() + static_cast<ptrdiff_t>(shown), values.end(),
      [](const ChartValue& a, const ChartValue& b) { return a.relative_error > b.relative_error; });
  std::string out =
      "<table><caption>Largest errors</caption><tr><th>Value</th><th>Made by</th><th>Error</th>"
      "</tr>\n";
  for (size_t i = 0; i < shown; ++i) {
    out += fmt::format("<tr><td>{}</td><td>{}</td><td>{:.3g}</td></tr>\n",
                       escape_markup(values[i].name), escape_markup(values[i].op_type),
                       values[i].relative_error);
  }
  return out + "</table>\n";
}

}  // namespace

std::string render_svg(const ComparisonChart& chart) {
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" role=\"img\">\n"
             "<title>{2} and {3} compared</title><style>{4}</style>\n"
             "<rect width=\"{0}\" height=\"{1}\" class=\"back\"/>\n",
             kWidth, kHeight, escape_markup(chart.first), escape_markup(chart.second),
             kChartStyle) +
         draw_errors(chart) + draw_times(chart) + "</svg>\n";
}

std::string render_page(const ComparisonChart& chart) {
  return begin_page("Comparison of two models") +
         fmt::format("<h1>Comparison of two models</h1><p>{} and {}</p>\n",
                     escape_markup(chart.first), escape_markup(chart.second)) +
         render_svg(chart) + error_table(chart) + "</body></html>\n";
}

}  // namespace wattwise::report
