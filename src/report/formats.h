// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "report/report.h"

namespace wattwise::report {

// One renderer per format, each in the file of its name.
std::string render_json(const ReportData& data, const Json& metrics);
std::string render_markdown(const ReportData& data, const Json& metrics);
std::string render_html(const ReportData& data, const Json& metrics);

/// Text as HTML and SVG show it.
std::string escape_markup(std::string_view text);
/// The start of an HTML page up to its body's content. `title` is shown as it is.
std::string begin_page(std::string_view title);

/// A figure of a model as people read it.
struct MetricRow {
  std::string label;
  std::string value;   ///< with its unit and interval, or "not available"
  std::string origin;  ///< how it is known, or why it is not
};

/// The model's figures in the order of data/metrics.json.
std::vector<MetricRow> metric_rows(const ModelReport& model, const Json& metrics);

/// "conv1 (int8 per channel): 12.3 % of the error; hurt by ...; ..."
std::string describe_layer(const LayerQuantization& layer);

}  // namespace wattwise::report
