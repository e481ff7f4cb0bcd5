// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "wattwise/config.h"
#include "wattwise/result.h"
#include "wattwise/types.h"

namespace wattwise::report {

/// A recommendation with what it rests on.
struct Recommendation {
  std::string title;
  std::string evidence;
};

/// One model's row.
struct ModelReport {
  std::string path;
  std::string model_type;
  std::string status;  ///< ready, failed, or "not prepared"
  bool active = false;
  int64_t inference_count = 0;
  Figures figures;  ///< ids of data/metrics.json
  std::string quantization_method;
  std::vector<AppliedOptimization> optimizations_applied;
  std::vector<Decision> decisions;
  std::vector<LayerQuantization> layers;  ///< of which something is told, the worst first
};

/// All facts of a report; every format shows the same.
struct ReportData {
  double timestamp = 0;  ///< seconds since the epoch
  Config config;         ///< what was in force
  Json device_state;
  std::vector<ModelReport> models;
  std::vector<Recommendation> recommendations;
};

/// One output format.
struct FormatRow {
  std::string_view name;
  std::string_view media_type;
  std::string (*render)(const ReportData& data, const Json& metrics);
};
std::span<const FormatRow> format_table();

/// Renders; kInvalidArgument for an unknown format, naming the known ones. `metrics` is
/// data/metrics.json.
Result<std::string> render(const ReportData& data, std::string_view format, const Json& metrics);

/// The report as JSON (docs/formats/report.md).
Json to_json(const ReportData& data);

/// What the facts suggest doing, each with its evidence.
std::vector<Recommendation> recommend(const ReportData& data);

}  // namespace wattwise::report
