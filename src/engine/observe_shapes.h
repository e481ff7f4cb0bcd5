// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "engine/session.h"

namespace wattwise::engine {

struct Observation {
  std::string folder;                      ///< empty; the profile is written there
  std::map<std::string, int64_t> scalars;  ///< as in InputGuess
};

/// Shapes of values as one run makes them, on made-up inputs of the sizes that the model declares
/// (all of them fixed). Values of branches that were not taken are missing. `folder` takes the
/// execution profile.
Result<model::ShapeTable> observe_shapes(const std::shared_ptr<Runtime>& runtime, Env& env,
                                         const model::Model& model, const Observation& options);

}  // namespace wattwise::engine
