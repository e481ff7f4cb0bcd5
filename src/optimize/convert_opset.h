// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "model/graph.h"
#include "wattwise/result.h"

namespace wattwise::optimize {

/// The standard operators of which this code knows every change.
inline constexpr int64_t kOldestOpset = 7;
inline constexpr int64_t kNewestOpset = 24;

/// Spells the model's standard operators, inner graphs included, as operator set `version` wants
/// them, by the tables of opset_adapters.h, one set after the other. Nothing happens if the model
/// is there already. `shapes` supplies the types and ranks that some operators need, and must hold
/// for every input. A lowered model also gets an IR version as old as the set, but not below 4,
/// with which constants need not be inputs. kUnsupported, with the model as it was, naming the node
/// that has no form in the other set, or for sets outside kOldestOpset..kNewestOpset and models
/// with functions of their own. Types that only the newer set takes are not looked at: a runtime
/// refuses such a model when it loads it.
Result<void> convert_opset(model::Model& model, int64_t version, const model::ShapeTable& shapes);

/// Makes the IR version as old as the model's operator set, but not below 4. Precondition: a set in
/// kOldestOpset..kNewestOpset.
void lower_ir_version(model::Model& model);

}  // namespace wattwise::optimize
