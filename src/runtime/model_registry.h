// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <any>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/session.h"
#include "input/preprocessor.h"
#include "runtime/idle_policy.h"
#include "wattwise/deployment.h"

namespace wattwise::runtime {

/// Counters of one model; they survive unloading and reloading.
struct Usage {
  int64_t inference_count = 0;
  double total_inference_time_seconds = 0;
  double last_used_at = 0;  ///< seconds since the epoch; 0 before the first inference
};

/// A model in memory: a session, or what the caller's loader returned.
struct ManagedModel {
  std::string path;
  std::string model_type;
  std::unique_ptr<engine::Session> session;  ///< null with a custom loader
  std::any custom;
  input::Preprocessor preprocessor;
  double loading_time_seconds = 0;
  double loaded_at = 0;
  uint64_t size_bytes = 0;
  std::string operating_point;
  PowerEfficiency power;                         ///< what one inference is estimated to cost
  std::map<std::string, int64_t> assumed_sizes;  ///< "input:axis" -> size that `power` is for
};

/// The loaded models of one deployment. Thread rule: any thread; a model that is in use stays
/// alive through the pointer its user holds, even if it is unloaded meanwhile.
class ModelRegistry {
 public:
  using Handle = std::shared_ptr<const ManagedModel>;  // shared by the registry and running calls

  /// Null if it is not loaded.
  Handle find(const std::string& path) const;
  Handle put(ManagedModel model);
  bool erase(const std::string& path);
  void clear();

  Usage usage(const std::string& path) const;
  void count_inference(const std::string& path, double seconds, double now);
  /// The caller's last loader that worked, remembered over unloads; empty for the built-in one.
  ModelLoader loader(const std::string& path) const;
  void remember_loader(const std::string& path, ModelLoader loader);

  /// What the idle policy needs to know.
  std::vector<LoadedModel> loaded() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Handle> models_;
  std::map<std::string, Usage> usage_;
  std::map<std::string, ModelLoader> loaders_;
};

}  // namespace wattwise::runtime
