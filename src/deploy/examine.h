// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "deploy/context.h"

namespace wattwise::deploy {

/// What a model is and costs; runs nothing.
Result<Json> inspect_model(Context& context, const std::string& model_path);

/// Two models on the same inputs: outputs, sizes, load and CPU times.
Result<Json> compare_models(Context& context, const std::string& first_path,
                            const std::string& second_path,
                            const std::vector<InferenceInputs>& samples);

/// What this machine and this installation can measure and run.
Json diagnose_machine(Context& context);

}  // namespace wattwise::deploy
