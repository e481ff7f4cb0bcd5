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

void sort_by_need(std::vector<LoadedModel>& models) {
  std::sort(models.begin(), models.end(), [](const LoadedModel& a, const LoadedModel& b) {
    return a.last_needed_at < b.last_needed_at;
  });
}

}  // namespace

std::vector<Decision> decide_unloads(std::vector<LoadedModel> models, const std::string& keep,
                                     const MemoryOptimizationConfig& config, double now) {
  std::vector<Decision> decisions;
  sort_by_need(models);
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

Result<std::vector<Decision>> decide_room(std::vector<LoadedModel> models, const LoadedModel& next,
                                          const MemoryOptimizationConfig& config) {
  std::vector<Decision> decisions;
  if (!config.max_memory_mb) return decisions;
  const double needed = static_cast<double>(next.size_bytes) / 1e6;
  if (needed > *config.max_memory_mb) {
    return Error(ErrorCode::kExhausted,
                 fmt::format("{} needs {:.1f} MB, memory_optimization.max_memory_mb allows {:.1f} "
                             "MB; raise the limit or prepare a smaller model",
                             next.path, needed, *config.max_memory_mb));
  }
  // A model that is loaded anew takes the place of its former self.
  std::erase_if(models, [&](const LoadedModel& model) { return model.path == next.path; });
  sort_by_need(models);
  while (!models.empty() && megabytes(models) + needed > *config.max_memory_mb) {
    decisions.push_back(
        {"unload", models.front().path,
         fmt::format("with {} models would need {:.1f} MB, the limit is {:.1f} MB", next.path,
                     megabytes(models) + needed, *config.max_memory_mb)});
    models.erase(models.begin());
  }
  return decisions;
}

}  // namespace wattwise::runtime
