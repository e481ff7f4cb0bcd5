// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "model/graph.h"
#include "wattwise/result.h"

namespace wattwise::optimize {

/// The standard operators of which this code knows every change.
inline constexpr int64_t kOldestOpset = 7;
inline constexpr int64_t kNewestOpset = 21;

/// Spells the model's standard operators, inner graphs included, as operator set `version` wants
/// them, by the table of opset_adapters.cc. Nothing happens if the model is there already. `shapes`
/// supplies the types and ranks that some operators need; a guess of sizes does no harm.
/// kUnsupported, with the model as it was, naming the node that has no form in the new set, or for
/// sets outside kOldestOpset..kNewestOpset and models with functions of their own.
Result<void> raise_opset(model::Model& model, int64_t version, const model::ShapeTable& shapes);

}  // namespace wattwise::optimize
