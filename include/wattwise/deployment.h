// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <any>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wattwise/config.h"
#include "wattwise/result.h"
#include "wattwise/sample.h"
#include "wattwise/types.h"

namespace wattwise {

/// Receives log lines. `level` is "debug", "info", "warning" or "error"; `module` is the part of
/// the library that speaks. May be called from any thread that calls into the library.
using LogCallback =
    std::function<void(std::string_view level, std::string_view module, std::string_view message)>;

/// Told how far a long call is (0..1); returning false cancels it and leaves nothing half-written.
using ProgressCallback = std::function<bool(std::string_view stage, double fraction)>;

/// How a deployment is set up. Every field has a working default.
struct DeploymentOptions {
  std::string db_path;                        ///< "": $WATTWISE_DB, else the XDG data folder
  std::string power_profile = "BALANCED";     ///< id, any case
  std::string deployment_target = "DESKTOP";  ///< id, any case
  std::string data_folder;                    ///< overlays data/; may define targets and profiles
  std::vector<std::string> config_files;      ///< JSON patches, folded in order
  std::vector<std::pair<std::string, std::string>> config_patches;  ///< layer name, JSON text
  std::string onnxruntime_library;  ///< the only one that may serve, if set
  std::string duckdb_library;       ///< tried first if set
  std::string cache_folder;         ///< "": $WATTWISE_CACHE, else in the XDG cache folder
  LogCallback log;
  std::string log_level = "warning";
  ProgressCallback progress;
};

/// How and on what a prepared model was compared with the float model.
struct Accuracy {
  std::string compared_by;  ///< "decision agreement on logits", "cosine of output"
  double drop_percent = 0;
  std::string data;  ///< where the samples came from
  /// "whole", or in how many blocks of nodes both models ran, and what was left out.
  std::string execution = "whole";
  int64_t samples = 0;
  std::vector<OutputAccuracy> outputs;    ///< worst over the samples
  std::optional<TaskAccuracy> task = {};  ///< what `drop_percent` is of, where one was asked for
};

/// Figures of one model on the target's device at a stated request rate.
struct PowerEfficiency {
  std::string device;
  double request_rate_qps = 1;
  Figures figures;                      ///< ids of data/metrics.json
  std::string thermal_throttling_risk;  ///< low, medium or high
  std::string risk_reason;
};

struct PrepareOptions {
  std::string model_path;                ///< an ONNX file or a Hugging Face folder
  std::string output_path;               ///< "": beside the input, <stem>_<profile>_optimized.onnx
  std::string model_type;                ///< "": inferred
  std::string quantization_method;       ///< "": the configuration's preferred_method
  std::vector<InferenceInputs> samples;  ///< for the comparison; empty: some of calibration_data
  std::string sample_source;             ///< says in the result where the samples came from
  SampleData calibration_data = {};      ///< real inputs; without any, random ones are compared
  Evaluation evaluation = {};            ///< what the accuracy limit is about, instead of agreement
  bool dry_run = false;                  ///< decide and report, but write nothing
  bool bundle = true;                    ///< also write the target's bundle beside the model
  /// Inputs that become constants, and free dimensions that get a size, by name: {"sr", "8000"}.
  std::map<std::string, std::string> fixed_inputs = {};
  std::optional<int64_t> opset = {};  ///< for this one: the setting optimization.opset
  bool measure = false;   ///< also time on this machine what pays; leave out what is slower
  bool use_cache = true;  ///< false: neither reuse an earlier preparation nor keep this one
};

/// The exact passes alone, without quantization, target or bundle.
struct OptimizeOptions {
  std::string model_path;                ///< an ONNX file or a Hugging Face folder
  std::string output_path;               ///< "": beside the input, <stem>_optimized.onnx
  std::vector<InferenceInputs> samples;  ///< for the comparison; empty: some of data
  SampleData data = {};                  ///< real inputs; without any, random ones are compared
  bool dry_run = false;                  ///< rewrite and compare, but write nothing
  std::map<std::string, std::string> fixed_inputs = {};  ///< as in PrepareOptions
  std::optional<int64_t> opset = {};                     ///< as in PrepareOptions
  bool measure = false;                                  ///< as in PrepareOptions
};

struct PrepareResult {
  std::string input_model_path;
  std::string output_model_path;  ///< "" after a dry run
  std::string model_type;
  std::string deployment_target;
  std::string power_profile;
  std::string quantization_method;  ///< what was really done
  std::string requested_quantization_method;
  std::vector<AppliedOptimization> optimizations_applied;
  std::vector<Decision> decisions;
  double preparation_time_seconds = 0;
  std::string status;  ///< "ready", or "planned" after a dry run
  double size_reduction_ratio = 1;
  int64_t original_size_bytes = 0;
  int64_t optimized_size_bytes = 0;
  Accuracy accuracy;
  std::string quantization_scheme;
  std::vector<LayerQuantization> layers;
  std::string bundle_path;
  PowerEfficiency power_efficiency;
  PowerEfficiency original_power_efficiency;
};

/// A loader of the caller's: path -> its own handle. Its handle is kept and given to the handler.
using ModelLoader = std::function<Result<std::any>(const std::string& model_path)>;
/// A handler of the caller's: handle and inputs, both its own, -> its own result.
using InferenceHandler = std::function<Result<std::any>(const std::any& model)>;

struct LoadOptions {
  std::string model_path;
  ModelLoader model_loader;  ///< empty: a session of ONNX Runtime
};

struct LoadResult {
  std::string model_path;
  std::string model_type;
  std::string status;  ///< "loaded"
  double loading_time_seconds = 0;
  double loaded_at = 0;     ///< seconds since the epoch
  double last_used_at = 0;  ///< seconds since the epoch; 0 before the first inference
  int64_t inference_count = 0;
  double total_inference_time_seconds = 0;
  PowerEfficiency power_metrics;
  std::vector<PortInfo> inputs;
  std::vector<PortInfo> outputs;
  std::string execution_provider;
  std::string operating_point;  ///< "threads=1"
  std::any model;               ///< what the custom loader returned; empty otherwise
  std::vector<Decision> decisions;
};

struct InferenceResult {
  std::string model_path;
  std::string status;  ///< "success"
  double inference_time_seconds = 0;
  TensorMap outputs;
  std::any handler_result;  ///< what a custom handler returned
  bool thermal_throttling = false;
  int throttling_level = 0;
  std::string operating_point;
  Figure energy_mj;
  int64_t batch_size = 1;
  std::vector<Decision> decisions;
};

struct ThermalStatus {
  std::string thermal_status = "UNKNOWN";  ///< NORMAL .. EMERGENCY, UNKNOWN without a sensor
  bool thermal_throttling = false;
  int throttling_level = 0;                    ///< 0..5
  std::map<std::string, double> temperatures;  ///< zone -> deg C
  std::map<std::string, double> headroom;      ///< zone -> deg C below its warning
  std::string origin;                          ///< "measured" or "absent"
  std::string reason;
};

/// Prepares models for a target under a power profile, runs them, and reports what it cost.
/// Paths are made absolute. State survives in the database. Thread rule: all methods may be called
/// from several threads; inferences of different models run side by side.
///
///     auto deployment = WATTWISE_TRY(PowerEfficientDeployment::create(
///         {.power_profile = "BALANCED", .deployment_target = "ANDROID"}));
///     auto result = WATTWISE_TRY(deployment.prepare_model_for_deployment({"m.onnx"}));
class PowerEfficientDeployment {
 public:
  /// kInvalidArgument or kNotFound for an unknown profile, target or configuration key.
  static Result<PowerEfficientDeployment> create(DeploymentOptions options);
  PowerEfficientDeployment(PowerEfficientDeployment&&) noexcept;
  PowerEfficientDeployment& operator=(PowerEfficientDeployment&&) noexcept;
  ~PowerEfficientDeployment();

  /// Optimizes, quantizes, verifies against the float model, writes model and bundle. A failure
  /// leaves no output and is recorded in the database.
  Result<PrepareResult> prepare_model_for_deployment(const PrepareOptions& options);
  /// Loads, or returns the loaded model with its counters.
  Result<LoadResult> load_model(const LoadOptions& options);
  /// Runs once; loads on demand.
  Result<InferenceResult> run_inference(const std::string& model_path,
                                        const InferenceInputs& inputs);
  /// Runs the caller's handler on the loaded model (its custom handle, or empty).
  Result<InferenceResult> run_inference(const std::string& model_path,
                                        const InferenceHandler& handler);
  /// True if it was loaded.
  Result<bool> unload_model(const std::string& model_path);

  /// Folds a JSON patch in; returns the whole configuration as JSON. On error nothing changes.
  Result<std::string> update_config(std::string_view json_patch);
  Config config() const;
  /// Each dotted key with its value and the layer that it came from, as JSON.
  std::string explain_config() const;

  /// JSON (docs/formats/status.md). "" for all models.
  Result<std::string> get_deployment_status(const std::string& model_path = "");
  /// Rendered report (docs/formats/report.md): json, markdown or html. "" for all models.
  Result<std::string> get_power_efficiency_report(const std::string& model_path = "",
                                                  std::string_view report_format = "json");
  Result<ThermalStatus> check_thermal_status();

  /// Rewrites a model by the exact passes that the configuration leaves on, holds its outputs
  /// against the original's, and writes it. Returns, as JSON, what each pass did and refused.
  Result<std::string> optimize_model(const OptimizeOptions& options);
  /// What a model is and costs, as JSON (docs/formats/results.md): inputs, outputs, operators,
  /// parameters, MACs and bytes per node, model type. Runs nothing.
  Result<std::string> inspect_model(const std::string& model_path);
  /// Runs two models on the same inputs and returns, as JSON (docs/formats/results.md), outputs'
  /// SQNR and cosine, the drop, sizes, load times and interleaved CPU times.
  Result<std::string> compare_models(const CompareOptions& options);
  /// What this machine can measure, what is missing and what would unlock it, as JSON.
  Result<std::string> diagnose() const;

  /// Unloads everything and writes out what is journalled. Idempotent; the destructor calls it.
  Result<void> cleanup();

 private:
  struct State;
  explicit PowerEfficientDeployment(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Results as JSON documents, keys spelled as the members (docs/formats/results.md). Tensors show
/// as type and shape; arrays of up to 1,000 elements also with their values.
std::string to_json(const PrepareResult& result);
std::string to_json(const LoadResult& result);
std::string to_json(const InferenceResult& result);
std::string to_json(const ThermalStatus& status);

/// Ids for user interfaces, CUSTOM included. Errors only for a broken `data_folder`.
Result<std::vector<std::string>> power_profiles(const std::string& data_folder = "");
Result<std::vector<std::string>> deployment_targets(const std::string& data_folder = "");

std::string_view version();  ///< "0.1.0"

}  // namespace wattwise
