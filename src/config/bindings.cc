// SPDX-License-Identifier: Apache-2.0
#include "config/bindings.h"

#include <array>

namespace wattwise::config {
namespace {

template <typename T>
void read(const Json& value, T& to) {
  to = value.get<T>();
}

template <typename T>
void read(const Json& value, std::optional<T>& to) {
  if (value.is_null()) {
    to.reset();
  } else {
    to = value.get<T>();
  }
}

template <auto Section, auto Key>
constexpr Binding bind(std::string_view section, std::string_view key) {
  return {section, key,
          [](Config& config, const Json& value) { read(value, config.*Section.*Key); }};
}

constexpr std::array kBindings = {
    bind<&Config::quantization, &QuantizationConfig::enabled>("quantization", "enabled"),
    bind<&Config::quantization, &QuantizationConfig::preferred_method>("quantization",
                                                                       "preferred_method"),
    bind<&Config::quantization, &QuantizationConfig::fallback_method>("quantization",
                                                                      "fallback_method"),
    bind<&Config::quantization, &QuantizationConfig::calibration_method>("quantization",
                                                                         "calibration_method"),
    bind<&Config::quantization, &QuantizationConfig::objective>("quantization", "objective"),
    bind<&Config::quantization, &QuantizationConfig::max_accuracy_drop_percent>(
        "quantization", "max_accuracy_drop_percent"),
    bind<&Config::quantization, &QuantizationConfig::weight_only_arithmetic>(
        "quantization", "weight_only_arithmetic"),
    bind<&Config::quantization, &QuantizationConfig::weight_range>("quantization", "weight_range"),
    bind<&Config::quantization, &QuantizationConfig::weight_granularity>("quantization",
                                                                         "weight_granularity"),
    bind<&Config::quantization, &QuantizationConfig::activation_type>("quantization",
                                                                      "activation_type"),
    bind<&Config::quantization, &QuantizationConfig::int4_arithmetic>("quantization",
                                                                      "int4_arithmetic"),
    bind<&Config::quantization, &QuantizationConfig::int4_block_size>("quantization",
                                                                      "int4_block_size"),
    bind<&Config::quantization, &QuantizationConfig::int4_symmetric>("quantization",
                                                                     "int4_symmetric"),
    bind<&Config::quantization, &QuantizationConfig::techniques>("quantization", "techniques"),
    bind<&Config::hardware_acceleration, &HardwareAccelerationConfig::enabled>(
        "hardware_acceleration", "enabled"),
    bind<&Config::hardware_acceleration, &HardwareAccelerationConfig::prefer_dedicated_accelerator>(
        "hardware_acceleration", "prefer_dedicated_accelerator"),
    bind<&Config::memory_optimization, &MemoryOptimizationConfig::model_caching>(
        "memory_optimization", "model_caching"),
    bind<&Config::memory_optimization, &MemoryOptimizationConfig::memory_map_models>(
        "memory_optimization", "memory_map_models"),
    bind<&Config::memory_optimization, &MemoryOptimizationConfig::unload_unused_models>(
        "memory_optimization", "unload_unused_models"),
    bind<&Config::memory_optimization, &MemoryOptimizationConfig::idle_timeout_seconds>(
        "memory_optimization", "idle_timeout_seconds"),
    bind<&Config::memory_optimization, &MemoryOptimizationConfig::max_memory_mb>(
        "memory_optimization", "max_memory_mb"),
    bind<&Config::memory_optimization, &MemoryOptimizationConfig::max_preparation_mb>(
        "memory_optimization", "max_preparation_mb"),
    bind<&Config::optimization, &OptimizationConfig::enabled>("optimization", "enabled"),
    bind<&Config::optimization, &OptimizationConfig::disabled_passes>("optimization",
                                                                      "disabled_passes"),
    bind<&Config::optimization, &OptimizationConfig::opset>("optimization", "opset"),
    bind<&Config::optimization, &OptimizationConfig::keep_default_inputs>("optimization",
                                                                          "keep_default_inputs"),
    bind<&Config::cache, &CacheConfig::enabled>("cache", "enabled"),
    bind<&Config::cache, &CacheConfig::max_size_mb>("cache", "max_size_mb"),
    bind<&Config::thermal_management, &ThermalManagementConfig::enabled>("thermal_management",
                                                                         "enabled"),
    bind<&Config::thermal_management, &ThermalManagementConfig::policy>("thermal_management",
                                                                        "policy"),
    bind<&Config::thermal_management, &ThermalManagementConfig::proactive_throttling>(
        "thermal_management", "proactive_throttling"),
    bind<&Config::thermal_management, &ThermalManagementConfig::temperature_check_interval_seconds>(
        "thermal_management", "temperature_check_interval_seconds"),
    bind<&Config::inference_optimization,
         &InferenceOptimizationConfig::batch_inference_when_possible>(
        "inference_optimization", "batch_inference_when_possible"),
    bind<&Config::inference_optimization, &InferenceOptimizationConfig::optimal_batch_size>(
        "inference_optimization", "optimal_batch_size"),
    bind<&Config::inference_optimization, &InferenceOptimizationConfig::use_fp16_where_available>(
        "inference_optimization", "use_fp16_where_available"),
    bind<&Config::inference_optimization, &InferenceOptimizationConfig::latency_deadline_ms>(
        "inference_optimization", "latency_deadline_ms"),
    bind<&Config::inference_optimization, &InferenceOptimizationConfig::request_rate_qps>(
        "inference_optimization", "request_rate_qps"),
    bind<&Config::device, &DeviceConfig::profile>("device", "profile"),
    bind<&Config::device, &DeviceConfig::battery_wh>("device", "battery_wh"),
    bind<&Config::power_management, &PowerManagementConfig::dynamic_frequency_scaling>(
        "power_management", "dynamic_frequency_scaling"),
    bind<&Config::power_management, &PowerManagementConfig::sleep_between_inferences>(
        "power_management", "sleep_between_inferences"),
    bind<&Config::power_management, &PowerManagementConfig::sleep_duration_ms>("power_management",
                                                                               "sleep_duration_ms"),
    bind<&Config::power_management, &PowerManagementConfig::power_limit_mw>("power_management",
                                                                            "power_limit_mw"),
    bind<&Config::power_management, &PowerManagementConfig::energy_budget_wh>("power_management",
                                                                              "energy_budget_wh"),
    bind<&Config::power_management, &PowerManagementConfig::target_hours>("power_management",
                                                                          "target_hours"),
    bind<&Config::monitoring, &MonitoringConfig::collect_metrics>("monitoring", "collect_metrics"),
    bind<&Config::monitoring, &MonitoringConfig::metrics_interval_seconds>(
        "monitoring", "metrics_interval_seconds"),
    bind<&Config::monitoring, &MonitoringConfig::log_to_database>("monitoring", "log_to_database"),
    bind<&Config::monitoring, &MonitoringConfig::retention_days>("monitoring", "retention_days"),
};

}  // namespace

std::span<const Binding> bindings() { return kBindings; }

}  // namespace wattwise::config
