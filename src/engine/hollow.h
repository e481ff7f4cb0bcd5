// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/graph.h"
#include "wattwise/result.h"
#include "wattwise/types.h"

// Inside engine only: models of which only the shapes matter.
namespace wattwise::engine {

/// Whether a constant is but the default of an input.
bool is_fed(const model::Graph& graph, const model::Constant& constant);

/// A value of fixed size.
model::Value sized_value(std::string name, DataType type, const std::vector<int64_t>& shape);

/// The model with its weights replaced by nodes that make zeros, so that a file of it is small.
model::Model make_hollow(const model::Model& model);

/// The model with the weights of its main graph as inputs, and what to feed these: zeros that all
/// share one piece of memory, so that running it takes none for weights.
struct FedModel {
  model::Model model;
  TensorMap zeros;
};
Result<FedModel> feed_zeros(const model::Model& model);

}  // namespace wattwise::engine
