// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/json.h"
#include "deploy/context.h"

namespace wattwise::deploy {

/// What a model is and costs; runs nothing.
Result<Json> inspect_model(Context& context, const std::string& model_path);

/// What this machine and this installation can measure and run.
Json diagnose_machine(Context& context);

}  // namespace wattwise::deploy
