// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "deploy/context.h"
#include "wattwise/deployment.h"

namespace wattwise::deploy {

/// Loads a model, or returns the loaded one with its counters.
Result<LoadResult> load(Context& context, const LoadOptions& options);

/// One inference through ONNX Runtime; loads on demand.
Result<InferenceResult> infer(Context& context, const std::string& model_path,
                              const InferenceInputs& inputs);

/// One call of the caller's handler with the loaded model's custom handle.
Result<InferenceResult> infer_with_handler(Context& context, const std::string& model_path,
                                           const InferenceHandler& handler);

bool unload(Context& context, const std::string& model_path);

}  // namespace wattwise::deploy
