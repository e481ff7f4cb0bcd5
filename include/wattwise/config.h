// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace wattwise {

// The typed configuration. Defaults and allowed values stand in data/defaults.json, meanings in
// docs/guide/configuration.md; one struct per section, one member per key, named alike.

struct QuantizationConfig {
  bool enabled = true;
  std::string preferred_method = "auto";
  std::string fallback_method = "weight_only";
  std::string calibration_method = "mse";
  std::string objective = "energy";
  double max_accuracy_drop_percent = 1;
  std::string weight_only_arithmetic = "integer";
  std::string weight_range = "pair_aware";
  std::string weight_granularity = "channel";
  std::string activation_type = "auto";
  std::string int4_arithmetic = "auto";
  std::string int4_block_size = "auto";
  bool int4_symmetric = false;
  std::vector<std::string> techniques;
};

struct HardwareAccelerationConfig {
  bool enabled = true;
  bool prefer_dedicated_accelerator = true;
};

struct MemoryOptimizationConfig {
  bool model_caching = true;
  bool memory_map_models = true;
  bool unload_unused_models = true;
  double idle_timeout_seconds = 300;
  std::optional<double> max_memory_mb;
  double max_preparation_mb = 4096;
};

struct OptimizationConfig {
  bool enabled = true;
  std::vector<std::string> disabled_passes;
  std::optional<int64_t> opset;
  bool keep_default_inputs = false;
};

struct CacheConfig {
  bool enabled = true;
  double max_size_mb = 4096;
};

struct ThermalManagementConfig {
  bool enabled = true;
  std::string policy = "default";
  bool proactive_throttling = false;
  double temperature_check_interval_seconds = 5;
};

struct InferenceOptimizationConfig {
  bool batch_inference_when_possible = true;
  int64_t optimal_batch_size = 1;
  bool use_fp16_where_available = true;
  std::optional<double> latency_deadline_ms;
  double request_rate_qps = 1;
};

struct DeviceConfig {
  std::string profile = "auto";
  std::optional<double> battery_wh;
};

struct PowerManagementConfig {
  bool dynamic_frequency_scaling = true;
  bool sleep_between_inferences = false;
  int64_t sleep_duration_ms = 0;
  std::optional<double> power_limit_mw;
  std::optional<double> energy_budget_wh;
  std::optional<double> target_hours;
};

struct MonitoringConfig {
  bool collect_metrics = true;
  double metrics_interval_seconds = 10;
  bool log_to_database = true;
  double retention_days = 30;
};

/// One resolved configuration. Immutable by habit: an update builds a new one.
struct Config {
  std::string power_profile;      ///< id, or "CUSTOM" after an update
  std::string base_profile;       ///< the profile that CUSTOM started from; else ""
  std::string deployment_target;  ///< id
  QuantizationConfig quantization;
  HardwareAccelerationConfig hardware_acceleration;
  MemoryOptimizationConfig memory_optimization;
  OptimizationConfig optimization;
  CacheConfig cache;
  ThermalManagementConfig thermal_management;
  InferenceOptimizationConfig inference_optimization;
  DeviceConfig device;
  PowerManagementConfig power_management;
  MonitoringConfig monitoring;
};

}  // namespace wattwise
