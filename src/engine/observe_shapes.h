// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "engine/session.h"

namespace wattwise::engine {

struct Observation {
  std::string folder;  ///< empty; the profile is written there
  InputGuess guess;    ///< sizes that the model leaves open, and values
};

/// Shapes of values as one run with zeros for weights makes them, on made-up inputs of the sizes
/// that the model declares and, where it declares none, the guessed ones. Values of branches that
/// were not taken are missing. `folder` takes the execution profile.
Result<model::ShapeTable> observe_shapes(const std::shared_ptr<Runtime>& runtime, Env& env,
                                         const model::Model& model, const Observation& options);

}  // namespace wattwise::engine
