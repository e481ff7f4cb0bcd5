// SPDX-License-Identifier: Apache-2.0
#include "deploy/context.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/text.h"
#include "device/host_profile.h"
#include "optimize/optimize.h"
#include "quantize/techniques.h"

namespace wattwise::deploy {
namespace {

Result<LogLevel> parse_log_level(std::string_view name) {
  constexpr std::array kLevels = {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning,
                                  LogLevel::kError};
  std::vector<std::string> known;
  for (const LogLevel level : kLevels) {
    if (equals_ignoring_case(name, log_level_name(level))) return level;
    known.emplace_back(log_level_name(level));
  }
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("log level \"{}\" is unknown.{}", name, suggestion(name, known)));
}

Result<Logger> make_logger(const DeploymentOptions& options) {
  const LogLevel lowest = WATTWISE_TRY(parse_log_level(options.log_level));
  if (!options.log) return Logger();
  const LogSink sink = [callback = options.log](const LogRecord& record) {
    std::string line = record.message;
    for (const LogField& f : record.fields) line += fmt::format(" {}={}", f.key, f.value);
    callback(log_level_name(record.level), record.module, line);
  };
  return Logger(sink, lowest);
}

Result<std::vector<config::Layer>> read_layers(const Env& env, const DeploymentOptions& options) {
  std::vector<config::Layer> layers;
  for (const std::string& path : options.config_files) {
    const std::string text = WATTWISE_TRY(env.read_file(path));
    layers.push_back({path, WATTWISE_TRY(parse_json(text, path))});
  }
  for (const auto& [name, text] : options.config_patches) {
    layers.push_back({name, WATTWISE_TRY(parse_json_argument(text, name))});
  }
  return layers;
}

Result<void> check_name(const config::Resolved& resolved, const std::string& key,
                        const std::string& name, const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return {};
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("the setting {} (from {}) names \"{}\", which does not exist.{}", key,
                           resolved.origin.at(key), name, suggestion(name, known)));
}

/// Settings whose values are names of other tables than the configuration's own.
Result<void> check_names(const config::Tables& tables, const config::Resolved& resolved) {
  std::vector<std::string> devices = {"auto"};
  for (const auto& [name, file] : tables.devices) devices.push_back(name);
  WATTWISE_TRY(check_name(resolved, "device.profile", resolved.config.device.profile, devices));
  std::vector<std::string> passes;
  for (const auto& row : optimize::pass_table()) passes.emplace_back(row.name);
  for (const std::string& name : resolved.config.optimization.disabled_passes) {
    WATTWISE_TRY(check_name(resolved, "optimization.disabled_passes", name, passes));
  }
  const std::vector<std::string> techniques = quantize::technique_words();
  for (const std::string& name : resolved.config.quantization.techniques) {
    WATTWISE_TRY(check_name(resolved, "quantization.techniques", name, techniques));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Context>> Context::create(Env& env, DeploymentOptions options) {
  Logger logger = WATTWISE_TRY(make_logger(options));
  config::Tables tables = WATTWISE_TRY(config::load_tables(env, options.data_folder));
  auto layers = WATTWISE_TRY(read_layers(env, options));
  auto resolved = WATTWISE_TRY(
      config::resolve(tables, options.power_profile, options.deployment_target, std::move(layers)));
  WATTWISE_TRY(check_names(tables, resolved));
  return std::unique_ptr<Context>(new Context(env, std::move(options), std::move(logger),
                                              std::move(tables), std::move(resolved)));
}

Context::Context(Env& env, DeploymentOptions options, Logger logger, config::Tables tables,
                 config::Resolved resolved)
    : env_(env),
      options_(std::move(options)),
      logger_(std::move(logger)),
      tables_(std::move(tables)),
      resolved_(std::move(resolved)) {}

config::Resolved Context::resolved() const {
  const std::lock_guard lock(mutex_);
  return resolved_;
}

Result<config::Resolved> Context::update(config::Layer layer) {
  const std::lock_guard lock(mutex_);
  auto updated = WATTWISE_TRY(config::update(tables_, resolved_, std::move(layer)));
  WATTWISE_TRY(check_names(tables_, updated));
  resolved_ = std::move(updated);
  last_thermal_.reset();  // it was judged by the old policy
  return resolved_;
}

std::optional<Context::ThermalReading> Context::last_thermal() const {
  const std::lock_guard lock(mutex_);
  return last_thermal_;
}

void Context::remember_thermal(ThermalReading reading) {
  const std::lock_guard lock(mutex_);
  last_thermal_ = std::move(reading);
}

Result<std::shared_ptr<engine::Runtime>> Context::runtime() {
  const std::lock_guard lock(mutex_);
  if (!runtime_) {
    runtime_ = WATTWISE_TRY(engine::load_runtime(env_, {options_.onnxruntime_library, logger_}));
    logger_.log(LogLevel::kDebug, "engine", "ONNX Runtime loaded",
                field("version", runtime_->version()), field("path", runtime_->library_path()));
  }
  return runtime_;
}

Result<std::string> Context::identify_runtime() {
  return engine::identify_runtime(env_, {options_.onnxruntime_library, logger_});
}

store::ArtifactCache Context::cache() const {
  const double bytes = resolved().config.cache.max_size_mb * 1e6;
  return {env_, {options_.cache_folder, static_cast<uint64_t>(bytes), logger_}};
}

Result<store::Store*> Context::store() {
  const std::lock_guard lock(mutex_);
  if (!store_) store_ = WATTWISE_TRY(store::open_store(env_, store_options()));
  return store_.get();
}

Result<void> Context::record(const store::Preparation& row) {
  const std::lock_guard lock(mutex_);
  if (store_) return store_->add(row);
  store::StoreOptions options = store_options();
  options.used_at_once = true;
  store_ = WATTWISE_TRY(store::open_store(env_, options));
  WATTWISE_TRY(store_->add(row));
  auto flushed = store_->flush();
  if (!flushed) store_.reset();  // it has told what is wrong
  return flushed;
}

Result<store::Store*> Context::store_to_read() {
  const std::lock_guard lock(mutex_);
  if (store_) return store_.get();
  store::StoreOptions options = store_options();
  options.used_at_once = true;
  if (!WATTWISE_TRY(store::store_exists(env_, options))) {
    return static_cast<store::Store*>(nullptr);
  }
  store_ = WATTWISE_TRY(store::open_store(env_, options));
  return store_.get();
}

store::StoreOptions Context::store_options() const {
  store::StoreOptions options;
  options.path = options_.db_path;
  options.duckdb_library = options_.duckdb_library;
  options.logger = logger_;
  options.retention_days = resolved_.config.monitoring.retention_days;
  return options;
}

Result<void> Context::close_store() {
  const std::lock_guard lock(mutex_);
  if (!store_) return {};
  auto flushed = store_->flush();
  store_.reset();
  return flushed;
}

const Json& Context::target(const config::Resolved& resolved) const {
  return tables_.targets.at(resolved.config.deployment_target);
}

const Json& Context::provider_file(const config::Resolved& resolved) const {
  const Json& row = target(resolved);
  if (resolved.config.hardware_acceleration.enabled && row.contains("providers")) {
    for (const Json& id : row["providers"]) {
      const auto it = tables_.providers.find(id.get<std::string>());
      if (it != tables_.providers.end()) return it->second;
    }
  }
  return tables_.providers.at("cpu");
}

std::string Context::device_id(const config::Resolved& resolved) const {
  const std::string& id = resolved.config.device.profile;
  return id == "auto" ? target(resolved).value("default_device", "") : id;
}

bool Context::is_for_this_machine(const config::Resolved& resolved) const {
  return device_id(resolved) == "auto";
}

Result<Json> Context::device_file(const config::Resolved& resolved) const {
  std::string id = device_id(resolved);
  if (id.empty()) return Json();
  if (id == "auto") id = device::host_profile_id(device::take_snapshot(env_, ""));
  const auto it = tables_.devices.find(id);
  if (it != tables_.devices.end()) return it->second;
  std::vector<std::string> known;
  for (const auto& [name, file] : tables_.devices) known.push_back(name);
  return Error(ErrorCode::kNotFound,
               fmt::format("device \"{}\" is unknown.{}", id, suggestion(id, known)));
}

Result<std::optional<device::DeviceProfile>> Context::device(
    const config::Resolved& resolved) const {
  const Json file = WATTWISE_TRY(device_file(resolved));
  if (file.is_null()) return std::optional<device::DeviceProfile>();
  return std::optional(
      WATTWISE_TRY(device::parse_device_profile(file.value("id", std::string()), file)));
}

std::string absolute_path(const Env& env, const std::string& path) {
  if (auto canonical = env.canonical_path(path)) return *canonical;
  auto folder = env.canonical_path(parent_path(path));
  if (folder) return join_path(*folder, file_name(path));
  if (!path.empty() && path.front() == '/') return path;
  auto here = env.canonical_path(".");
  return here ? join_path(*here, path) : path;
}

}  // namespace wattwise::deploy
