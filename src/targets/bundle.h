// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/env.h"
#include "core/json.h"
#include "wattwise/types.h"

namespace wattwise::targets {

/// What goes into a bundle.
struct BundleRequest {
  const Json& target;  ///< data/targets/<id>/target.json
  const std::vector<std::pair<std::string, std::string>>& templates;  ///< name, content
  std::string model_path;                                             ///< the prepared model
  std::vector<std::string> companion_files;  ///< tokenizer.json and the like
  Json facts;                                ///< values for the templates and manifest
  std::vector<PortInfo> inputs;
  std::vector<PortInfo> outputs;
  TensorMap
      golden_inputs;  ///< written as .npy with their outputs, so that a client can check itself
  TensorMap golden_outputs;
};

/// Makes the folder `folder`, which is not there yet: the model, its companions, the rendered
/// templates and manifest.json (docs/formats/bundle.md) with size and sha256 of every file. Removed
/// again on failure. Whoever has an older one to replace makes the new one elsewhere and moves it.
/// kInvalidArgument names a template's unknown variable with its line.
Result<Json> write_bundle(Env& env, const BundleRequest& request, const std::string& folder);

}  // namespace wattwise::targets
