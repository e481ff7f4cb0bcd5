// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <unordered_map>

#include "model/graph.h"
#include "model/rope.h"

namespace wattwise::model {

/// Where constants lie in a data file beside the model.
struct ExternalLayout {
  std::string file;
  std::unordered_map<const Constant*, uint64_t> offsets;
};

/// The model as a message; weights are borrowed from it. `external` may be null.
Rope write_model(const Model& model, const ExternalLayout* external);

}  // namespace wattwise::model
