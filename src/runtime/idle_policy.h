// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "wattwise/config.h"
#include "wattwise/result.h"
#include "wattwise/types.h"

namespace wattwise::runtime {

/// A model in memory, as far as unloading is concerned.
struct LoadedModel {
  std::string path;
  double last_needed_at = 0;  ///< seconds since the epoch: last inference, else the load
  uint64_t size_bytes = 0;
};

/// Which models to unload now: those idle for longer than `idle_timeout_seconds` (if
/// `unload_unused_models`), then the longest idle ones until `max_memory_mb` is met. `keep` is the
/// model about to be used and is never chosen. Pure: decides, unloads nothing. The decision's
/// subject is the path.
std::vector<Decision> decide_unloads(std::vector<LoadedModel> models, const std::string& keep,
                                     const MemoryOptimizationConfig& config, double now);

/// Which loaded models must go so that `next` fits below `max_memory_mb` with the rest: the longest
/// idle ones. kExhausted names both numbers if it does not fit even alone. Pure, as above.
Result<std::vector<Decision>> decide_room(std::vector<LoadedModel> models, const LoadedModel& next,
                                          const MemoryOptimizationConfig& config);

}  // namespace wattwise::runtime
