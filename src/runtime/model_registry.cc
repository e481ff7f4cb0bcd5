// SPDX-License-Identifier: Apache-2.0
#include "runtime/model_registry.h"

#include <algorithm>
#include <utility>

namespace wattwise::runtime {
namespace {

template <typename Map>
typename Map::mapped_type find_or_default(const Map& map, const std::string& key) {
  const auto it = map.find(key);
  return it == map.end() ? typename Map::mapped_type{} : it->second;
}

}  // namespace

ModelRegistry::Handle ModelRegistry::find(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  return find_or_default(models_, path);
}

ModelRegistry::Handle ModelRegistry::put(ManagedModel model) {
  auto handle = std::make_shared<const ManagedModel>(std::move(model));
  const std::lock_guard lock(mutex_);
  models_[handle->path] = handle;
  return handle;
}

bool ModelRegistry::erase(const std::string& path) {
  const std::lock_guard lock(mutex_);
  return models_.erase(path) > 0;
}

void ModelRegistry::clear() {
  const std::lock_guard lock(mutex_);
  models_.clear();
}

Usage ModelRegistry::usage(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  return find_or_default(usage_, path);
}

void ModelRegistry::count_inference(const std::string& path, double seconds, double now) {
  const std::lock_guard lock(mutex_);
  Usage& usage = usage_[path];
  ++usage.inference_count;
  usage.total_inference_time_seconds += seconds;
  usage.last_used_at = now;
}

ModelLoader ModelRegistry::loader(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  return find_or_default(loaders_, path);
}

void ModelRegistry::remember_loader(const std::string& path, ModelLoader loader) {
  const std::lock_guard lock(mutex_);
  loaders_[path] = std::move(loader);
}

std::vector<LoadedModel> ModelRegistry::loaded() const {
  const std::lock_guard lock(mutex_);
  std::vector<LoadedModel> out;
  for (const auto& [path, handle] : models_) {
    const double used = find_or_default(usage_, path).last_used_at;
    out.push_back({path, std::max(used, handle->loaded_at), handle->size_bytes});
  }
  return out;
}

}  // namespace wattwise::runtime
