// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "deploy/context.h"
#include "wattwise/deployment.h"

namespace wattwise::deploy {

/// The whole preparation: read, optimize, quantize, verify, write, bundle, record.
Result<PrepareResult> prepare(Context& context, const PrepareOptions& options);

}  // namespace wattwise::deploy
