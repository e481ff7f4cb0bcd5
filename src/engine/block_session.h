// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/session.h"

namespace wattwise::engine {

/// How a model is run that is larger than the memory.
struct BlockOptions {
  /// Weights of one block, as long as no single node needs more.
  uint64_t block_bytes = uint64_t{64} << 20;
  /// A node that needs more is not run: random values of its results' shapes, the same in every
  /// model that makes a result of that name, stand in for what it makes.
  uint64_t largest_node_bytes = uint64_t{640} << 20;
  /// More values that random ones stand in for: those that another model, which this one is held
  /// against, could not compute.
  std::vector<std::string> stand_in_for = {};
};

/// A session that runs the model block after block, each loaded by itself and dropped again. Its
/// answers are those of the whole model, except where a node was too large; decisions() names
/// those, and stood_in() what they make. Of the runtime's optimizations only the basic
/// ones are done, and none on blocks with large weights to unpack. Call run_all() for several
/// inputs: a block is loaded once for all of them. Pages of the weights go back to the model's
/// store, if it has one, after every block.
Result<std::unique_ptr<Session>> open_block_session(const std::shared_ptr<Runtime>& runtime,
                                                    Env& env, const model::Model& model,
                                                    const SessionOptions& options,
                                                    const BlockOptions& blocks = {});

}  // namespace wattwise::engine
