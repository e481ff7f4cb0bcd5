// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/json.h"
#include "deploy/context.h"

namespace wattwise::deploy {

/// Two models on the same inputs: outputs, task metric, sizes, load and CPU times, and a picture.
Result<Json> compare_models(Context& context, const CompareOptions& options);

}  // namespace wattwise::deploy
