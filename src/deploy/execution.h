// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "deploy/context.h"
#include "engine/session.h"
#include "model/graph.h"

namespace wattwise::deploy {

/// Why a model with so many bytes of weights is not run as a whole; absent where it is. Running one
/// takes its weights twice: as they are stored and as the runtime lays them out. That must fit into
/// `memory_optimization.max_preparation_mb` and into what the system has left.
std::optional<std::string> too_large_to_run(Context& context, uint64_t weight_bytes);

/// Opens a model file as a whole or, its weights left in the mapped file, block by block.
Result<std::unique_ptr<engine::Session>> open_file(Context& context, const std::string& path,
                                                   bool in_blocks,
                                                   const engine::SessionOptions& options);

/// "whole", or how many blocks the session runs one after the other and what it leaves out.
std::string describe_execution(const engine::Session& session);

}  // namespace wattwise::deploy
