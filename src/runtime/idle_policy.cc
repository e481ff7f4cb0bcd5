// SPDX-License-Identifier: Apache-2.0
#include "runtime/idle_policy.h"

#include <fmt/format.h>

#include <algorithm>

namespace wattwise::runtime {
namespace {

double megabytes(const std::vector<LoadedModel>& models) {
  double total = 0;
  for (const LoadedModel& model : models) total += static_cast<double>(model.size_bytes) / 1e6;
  return total;
}

}  // namespace

std::vector<Decision> decide_unloads(std::vector<LoadedModel> models, const std::string& keep,
                                     const MemoryOptimizationConfig& config, double now) {
  std::vector<Decision> decisions;
  std::sort(models.begin(), models.end(), [](const LoadedModel& a, const LoadedModel& b) {
    return a.last_needed_at < b.last_needed_at;
  });
  const auto unload = [&](std::vector<LoadedModel>::iterator model, std::string reason) {
    decisions.push_back({"unload", model->path, std::move(reason)});
    return models.erase(model);
  };
  for (auto it = models.begin(); config.unload_unused_models && it != models.end();) {
    const double idle = now - it->last_needed_at;
    const bool expired = it->path != keep && idle > config.idle_timeout_seconds;
    it = expired ? unload(it, fmt::format("idle for {:.0f} s, longer than {:.0f} s", idle,
                                          config.idle_timeout_seconds))
                 : it + 1;
  }
  const auto over = [&] {
    return config.max_memory_mb && megabytes(models) > *config.max_memory_mb;
  };
  for (auto it = models.begin(); it != models.end() && over();) {
    it = it->path == keep ? it + 1
                          : unload(it, fmt::format("models need {:.1f} MB, the limit is {:.1f} MB",
                                                   megabytes(models), *config.max_memory_mb));
  }
  return decisions;
}

}  // namespace wattwise::runtime
