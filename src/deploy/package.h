// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "deploy/context.h"
#include "deploy/samples.h"
#include "deploy/staging.h"

namespace wattwise::deploy {

/// What goes into a bundle besides the facts of the result.
struct BundleContent {
  const Staging& staging;                      ///< holds the model under its final name
  const std::vector<std::string>& companions;  ///< turn raw input into tensors; travel along
  const Samples& samples;
  bool in_blocks = false;  ///< the model is too large to be run as a whole
};

/// Makes the target's bundle in the staging folder and names in `result.bundle_path` the place
/// beside the prepared model that publish() will give it.
Result<void> write_target_bundle(Context& context, const config::Resolved& resolved,
                                 const BundleContent& content, PrepareResult& result);

}  // namespace wattwise::deploy
