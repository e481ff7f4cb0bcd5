// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "deploy/context.h"
#include "deploy/samples.h"

namespace wattwise::deploy {

/// Writes the target's bundle beside the prepared model and names it in `result.bundle_path`.
/// `companions` are the files that turn raw input into tensors; they travel along.
Result<void> write_target_bundle(Context& context, const config::Resolved& resolved,
                                 const std::vector<std::string>& companions, const Samples& samples,
                                 PrepareResult& result);

}  // namespace wattwise::deploy
