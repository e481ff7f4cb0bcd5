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

/// A figure of a model as people read it.
struct MetricRow {
  std::string label;
  std::string value;   ///< with its unit and interval, or "not available"
  std::string origin;  ///< how it is known, or why it is not
};

/// The model's figures in the order of data/metrics.json.
std::vector<MetricRow> metric_rows(const ModelReport& model, const Json& metrics);

}  // namespace wattwise::report
