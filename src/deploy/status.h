// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/json.h"
#include "deploy/context.h"
#include "report/report.h"

namespace wattwise::deploy {

/// One model: its preparation, whether it is active, its statistics. "" for all models.
Result<Json> status(Context& context, const std::string& model_path);

/// Everything a report shows, for one model or ("") for all.
Result<report::ReportData> report_data(Context& context, const std::string& model_path);

}  // namespace wattwise::deploy
