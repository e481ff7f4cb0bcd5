// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "deploy/samples.h"
#include "engine/session.h"

namespace wattwise::deploy {

/// How the session's answers to the samples compare with the float model's, the worst case per
/// output. kInternal for answers that cannot be right whatever the model.
Result<Accuracy> compare_with_float(const engine::Session& session, const Samples& samples);

}  // namespace wattwise::deploy
