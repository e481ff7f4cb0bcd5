// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "deploy/staging.h"

namespace wattwise::deploy {

/// Copies of the files that inference looks up beside the model `input` (tokenizer.json and the
/// like) into the staging of `output`, under their plain names, as far as it would find none there.
Result<void> stage_companions(Env& env, const std::string& input, const std::string& output,
                              const Staging& staging);

}  // namespace wattwise::deploy
