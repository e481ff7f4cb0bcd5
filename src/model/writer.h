// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/graph.h"
#include "model/rope.h"
#include "model/save.h"

namespace wattwise::model {

/// The model as a message; weights are borrowed from it. `external` may be null.
Rope write_model(const Model& model, const ExternalLayout* external);

}  // namespace wattwise::model
