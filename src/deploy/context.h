// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "config/resolve.h"
#include "config/tables.h"
#include "core/env.h"
#include "core/log.h"
#include "core/progress.h"
#include "device/estimator.h"
#include "engine/runtime.h"
#include "runtime/model_registry.h"
#include "store/artifact_cache.h"
#include "store/store.h"
#include "wattwise/deployment.h"

namespace wattwise::deploy {

/// What every operation of one deployment shares. ONNX Runtime and the database are opened when
/// they are first needed. Thread rule: any thread.
class Context {
 public:
  /// Loads the tables and folds the configuration. `env` must outlive the context.
  static Result<std::unique_ptr<Context>> create(Env& env, DeploymentOptions options);

  Env& env() const { return env_; }
  const Logger& logger() const { return logger_; }
  const config::Tables& tables() const { return tables_; }
  Progress progress() const { return options_.progress; }
  runtime::ModelRegistry& models() { return models_; }

  /// The configuration as it is now; later updates do not reach the copy.
  config::Resolved resolved() const;
  /// Folds one more layer in; nothing changes on error.
  Result<config::Resolved> update(config::Layer layer);

  /// The last thermal status that was read for an inference; absent before the first.
  struct ThermalReading {
    Seconds at;
    ThermalStatus status;
  };
  std::optional<ThermalReading> last_thermal() const;
  void remember_thermal(ThermalReading reading);

  Result<std::shared_ptr<engine::Runtime>> runtime();
  /// As engine::identify_runtime().
  Result<std::string> identify_runtime();
  store::ArtifactCache cache() const;
  Result<store::Store*> store();
  /// Adds the row and moves it into the database, which is opened once for both.
  Result<void> record(const store::Preparation& row);
  /// The same for a look at it: null where nothing has been recorded yet, and nothing is created.
  Result<store::Store*> store_to_read();
  /// Closes the database (it is reopened when needed again) after writing out its journal.
  Result<void> close_store();

  /// What the device file that figures are for holds; null for a custom target without one.
  Result<Json> device_file(const config::Resolved& resolved) const;
  /// The target's table row.
  const Json& target(const config::Resolved& resolved) const;
  /// The file of the execution provider that models are prepared for: the first of the target's
  /// that has one, "cpu" where hardware acceleration is off or none has.
  const Json& provider_file(const config::Resolved& resolved) const;
  /// The device that figures are for: `device.profile`, else the target's default device. Absent
  /// with the reason for a custom target without one.
  Result<std::optional<device::DeviceProfile>> device(const config::Resolved& resolved) const;
  /// True if that device is the machine that this runs on.
  bool is_for_this_machine(const config::Resolved& resolved) const;

 private:
  /// "auto" is this machine; "" is none.
  std::string device_id(const config::Resolved& resolved) const;
  Context(Env& env, DeploymentOptions options, Logger logger, config::Tables tables,
          config::Resolved resolved);

  store::StoreOptions store_options() const;

  Env& env_;
  DeploymentOptions options_;
  Logger logger_;
  config::Tables tables_;
  runtime::ModelRegistry models_;
  mutable std::mutex mutex_;  // guards what follows
  config::Resolved resolved_;
  std::shared_ptr<engine::Runtime> runtime_;  // shared with the sessions made from it
  std::unique_ptr<store::Store> store_;
  std::optional<ThermalReading> last_thermal_;
};

/// The path in absolute form, with links resolved when it exists.
std::string absolute_path(const Env& env, const std::string& path);

}  // namespace wattwise::deploy
