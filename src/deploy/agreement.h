// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "deploy/samples.h"
#include "engine/session.h"

namespace wattwise::deploy {

struct Agreement {
  Accuracy accuracy;  ///< the worst case per output
  /// Of each sample, the largest error of an output, relative to that output's largest value.
  std::vector<double> errors;
};

/// How the session's answers to the samples compare with the float model's. kInternal for answers
/// that cannot be right whatever the model.
Result<Agreement> compare_with_float(const engine::Session& session, const Samples& samples);

}  // namespace wattwise::deploy
