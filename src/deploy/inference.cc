// SPDX-License-Identifier: Apache-2.0
#include "deploy/inference.h"

#include <fmt/format.h>

#include <algorithm>

#include "deploy/efficiency.h"
#include "deploy/samples.h"
#include "deploy/thermal.h"
#include "engine/providers.h"
#include "input/prepare_inputs.h"
#include "measure/metrics.h"
#include "model/inspect.h"
#include "model/load.h"
#include "model/walk.h"
#include "runtime/batches.h"
#include "runtime/idle_policy.h"

namespace wattwise::deploy {
namespace {

using Handle = runtime::ModelRegistry::Handle;

/// The session's settings that the configuration and the target ask for.
engine::SessionOptions session_options(const Context& context, const config::Resolved& resolved) {
  engine::SessionOptions options;
  const HardwareAccelerationConfig& hardware = resolved.config.hardware_acceleration;
  const Json& target = context.target(resolved);
  if (!hardware.enabled || !target.contains("providers")) return options;
  for (const auto& id : target["providers"]) {
    const auto rows = engine::provider_table();
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const auto& candidate) {
      return candidate.id == id.template get<std::string>();
    });
    const bool dedicated = row != rows.end() && row->dedicated_accelerator;
    if (!dedicated || hardware.prefer_dedicated_accelerator) {
      options.providers.push_back(id.get<std::string>());
    }
  }
  return options;
}

void log_to_store(Context& context, const auto& row, std::vector<Decision>& decisions) {
  if (!context.resolved().config.monitoring.log_to_database) return;
  auto store = context.store();
  const Result<void> added = store ? (*store)->add(row) : Result<void>(std::move(store).error());
  if (added) return;
  context.logger().log(LogLevel::kWarning, "deploy", "not recorded",
                       field("reason", added.error().to_string()));
  decisions.push_back({"not_recorded", row.model_path, added.error().to_string()});
}

/// Unloads what the idle policy names; the model in use is never among it.
void unload_idle(Context& context, const std::string& keep) {
  const auto config = context.resolved().config.memory_optimization;
  const double now = context.env().wall_now().count();
  for (const Decision& decision :
       runtime::decide_unloads(context.models().loaded(), keep, config, now)) {
    context.models().erase(decision.subject);
    context.logger().log(LogLevel::kInfo, "runtime", "unloaded", field("model", decision.subject),
                         field("reason", decision.reason));
  }
}

/// Unloads what must go so that the model fits below `max_memory_mb`.
Result<void> make_room(Context& context, const runtime::ManagedModel& next,
                       std::vector<Decision>& decisions) {
  const auto config = context.resolved().config.memory_optimization;
  const auto unloads = WATTWISE_TRY(
      runtime::decide_room(context.models().loaded(), {next.path, 0, next.size_bytes}, config));
  for (const Decision& decision : unloads) {
    context.models().erase(decision.subject);
    context.logger().log(LogLevel::kInfo, "runtime", "unloaded", field("model", decision.subject),
                         field("reason", decision.reason));
    decisions.push_back(decision);
  }
  return {};
}

Result<void> open_model(Context& context, const config::Resolved& resolved,
                        runtime::ManagedModel& managed, std::vector<Decision>& decisions) {
  Env& env = context.env();
  const auto model = WATTWISE_TRY(model::load(env, managed.path));
  WATTWISE_TRY(model::check_ports(model));
  managed.size_bytes = std::max(managed.size_bytes, model::weight_bytes(model));
  WATTWISE_TRY(make_room(context, managed, decisions));
  managed.model_type = model::infer_model_type(model).type;
  managed.preprocessor = WATTWISE_TRY(input::load_preprocessor(env, managed.path));
  auto runtime = WATTWISE_TRY(context.runtime());
  const auto options = session_options(context, resolved);
  managed.session =
      resolved.config.memory_optimization.memory_map_models
          ? WATTWISE_TRY(engine::open_session(runtime, env, model, managed.path, options))
          : WATTWISE_TRY(engine::open_session(runtime, env, managed.path, options));
  managed.operating_point =
      fmt::format("provider={} threads={}", managed.session->provider(), options.threads);
  const engine::InputGuess guess = plausible_inputs(model).front();
  managed.assumed_sizes = guess.dimensions;
  auto inspection = inspect_with_shapes(context, model, guess);
  const auto device = WATTWISE_TRY(context.device(resolved));
  if (inspection) managed.power = estimate_efficiency(*inspection, device, resolved.config);
  return {};
}

Result<Handle> load_managed(Context& context, const std::string& path, const ModelLoader& loader,
                            std::vector<Decision>& decisions) {
  const config::Resolved resolved = context.resolved();
  const Seconds start = context.env().monotonic_now();
  const auto info = context.env().stat(path);
  if (!info && !loader) {
    return Error(ErrorCode::kNotFound,
                 fmt::format("there is no model at {}; check the path", path));
  }
  runtime::ManagedModel managed;
  managed.path = path;
  managed.size_bytes = info ? info->size_bytes : 0;
  if (loader) {
    WATTWISE_TRY(make_room(context, managed, decisions));
    managed.custom = WATTWISE_TRY(loader(path));
    managed.operating_point = "custom loader";
  } else {
    WATTWISE_TRY(open_model(context, resolved, managed, decisions));
  }
  managed.loaded_at = context.env().wall_now().count();
  managed.loading_time_seconds = (context.env().monotonic_now() - start).count();
  return context.models().put(std::move(managed));
}

LoadResult describe(Context& context, const runtime::ManagedModel& managed) {
  LoadResult result;
  const runtime::Usage usage = context.models().usage(managed.path);
  result.model_path = managed.path;
  result.model_type = managed.model_type;
  result.status = "loaded";
  result.loading_time_seconds = managed.loading_time_seconds;
  result.loaded_at = managed.loaded_at;
  result.last_used_at = usage.last_used_at;
  result.inference_count = usage.inference_count;
  result.total_inference_time_seconds = usage.total_inference_time_seconds;
  result.power_metrics = managed.power;
  result.operating_point = managed.operating_point;
  result.model = managed.custom;
  if (!managed.session) {
    result.execution_provider = "custom";
    return result;
  }
  result.inputs = managed.session->inputs();
  result.outputs = managed.session->outputs();
  result.execution_provider = managed.session->provider();
  result.decisions = managed.session->decisions();
  return result;
}

std::string model_file(const Context& context, const std::string& path) {
  auto file = input::find_model_file(context.env(), path);
  return absolute_path(context.env(), file ? *file : path);
}

Result<Handle> loaded_or_load(Context& context, const std::string& path,
                              std::vector<Decision>& decisions) {
  if (auto handle = context.models().find(path)) return handle;
  auto loaded = WATTWISE_TRY(load(context, {path, {}}));
  std::copy_if(loaded.decisions.begin(), loaded.decisions.end(), std::back_inserter(decisions),
               [](const Decision& decision) { return decision.action == "unload"; });
  return context.models().find(path);
}

/// The sizes that a model's estimate is for: "ids [1, 32]".
std::string describe_basis(const runtime::ManagedModel& managed) {
  std::vector<std::string> parts;
  for (const PortInfo& port : managed.session->inputs()) {
    std::vector<int64_t> shape = port.shape;
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      const auto size = managed.assumed_sizes.find(fmt::format("{}:{}", port.name, axis));
      if (size != managed.assumed_sizes.end()) shape[axis] = size->second;
    }
    parts.push_back(fmt::format("{} [{}]", port.name, fmt::join(shape, ", ")));
  }
  return parts.empty() ? "a model without inputs" : fmt::format("{}", fmt::join(parts, " and "));
}

/// How many times the assumed number of elements the inputs hold; 1 where no size is free. The
/// input that has grown most says how much work there is: a cache may be empty.
double relative_size(const runtime::ManagedModel& managed, const TensorMap& tensors) {
  double largest = 0;
  for (const PortInfo& port : managed.session->inputs()) {
    const auto tensor = tensors.find(port.name);
    double assumed = 1;
    bool is_free = false;
    for (size_t axis = 0; axis < port.shape.size(); ++axis) {
      const auto size = managed.assumed_sizes.find(fmt::format("{}:{}", port.name, axis));
      is_free = is_free || size != managed.assumed_sizes.end();
      assumed *= static_cast<double>(size != managed.assumed_sizes.end() ? size->second
                                                                         : port.shape[axis]);
    }
    if (!is_free || assumed <= 0 || tensor == tensors.end()) continue;
    largest = std::max(largest, static_cast<double>(tensor->second.element_count()) / assumed);
  }
  return largest > 0 ? largest : 1;
}

Figure estimate_energy(const runtime::ManagedModel& managed, const RunWork& work) {
  const auto energy = managed.power.figures.find("energy_per_inference_mj");
  return energy != managed.power.figures.end()
             ? energy_of_run(energy->second, work)
             : Figure::absent("no energy sensor, and no estimate for this model");
}

/// Records one inference that took `seconds` and completes the result's common part.
void finish(Context& context, const runtime::ManagedModel& managed, double seconds,
            InferenceResult& result) {
  const config::Resolved resolved = context.resolved();
  const double now = context.env().wall_now().count();
  context.models().count_inference(managed.path, seconds, now);
  result.model_path = managed.path;
  result.status = "success";
  result.inference_time_seconds = seconds;
  result.operating_point = managed.operating_point;
  if (resolved.config.thermal_management.enabled) {
    const ThermalStatus thermal = recent_thermal_status(context, resolved);
    result.thermal_throttling = thermal.thermal_throttling;
    result.throttling_level = thermal.throttling_level;
  }
  const auto deadline = resolved.config.inference_optimization.latency_deadline_ms;
  if (deadline && seconds * 1e3 > *deadline) {
    result.decisions.push_back(
        {"missed_deadline", managed.path,
         fmt::format("took {:.1f} ms, latency_deadline_ms is {:.1f}", seconds * 1e3, *deadline)});
  }
  store::Inference row;
  row.model_path = managed.path;
  row.finished_at = now;
  row.inference_time_seconds = seconds;
  row.batch_size = result.batch_size;
  row.throttling_level = result.throttling_level;
  row.energy_mj = result.energy_mj.value;
  row.energy_origin = result.energy_mj.origin == Origin::kEstimated ? "estimated" : "absent";
  if (resolved.config.monitoring.collect_metrics) log_to_store(context, row, result.decisions);
}

void rest(Context& context) {
  const PowerManagementConfig config = context.resolved().config.power_management;
  if (!config.sleep_between_inferences || config.sleep_duration_ms <= 0) return;
  context.env().sleep_for(to_seconds(Milliseconds(static_cast<double>(config.sleep_duration_ms))));
}

}  // namespace

Result<LoadResult> load(Context& context, const LoadOptions& options) {
  const std::string path = model_file(context, options.model_path);
  unload_idle(context, path);
  if (auto handle = context.models().find(path); handle && !options.model_loader) {
    return describe(context, *handle);
  }
  std::vector<Decision> decisions;
  const ModelLoader loader =
      options.model_loader ? options.model_loader : context.models().loader(path);
  auto loaded = load_managed(context, path, loader, decisions);
  if (!loaded) return std::move(loaded).error().with_context("loading " + path);
  if (loader) context.models().remember_loader(path, loader);
  const runtime::ManagedModel& managed = **loaded;
  LoadResult result = describe(context, managed);
  result.decisions.insert(result.decisions.begin(), decisions.begin(), decisions.end());
  log_to_store(context,
               store::Load{path, managed.model_type, result.execution_provider,
                           managed.loading_time_seconds, managed.loaded_at},
               result.decisions);
  context.logger().log(LogLevel::kInfo, "runtime", "loaded", field("model", path),
                       field("seconds", managed.loading_time_seconds));
  return result;
}

/// What a session returned, how long it took without the preparation of inputs, and how much it had
/// to work on.
struct Ran {
  TensorMap outputs;
  double seconds = 0;
  double relative_size = 0;
};

/// A batch goes through the model in parts of the configured size, a model with a fixed batch in
/// single items.
Result<Ran> run_session(Context& context, const runtime::ManagedModel& managed,
                        const InferenceInputs& inputs, std::vector<Decision>& decisions) {
  const auto& ports = managed.session->inputs();
  const auto prepare = [&](const InferenceInputs& raw) {
    return to_tensors(context.env(), ports, managed.preprocessor, raw, decisions);
  };
  const auto items = std::max<int64_t>(1, static_cast<int64_t>(inputs.batch.size()));
  const auto size = runtime::batch_size(context.resolved().config.inference_optimization);
  Ran ran;
  const auto run = [&](const TensorMap& tensors, int64_t rows) {
    const Seconds start = context.env().monotonic_now();
    ran.relative_size += relative_size(managed, tensors);
    auto outputs = runtime::run_in_batches(*managed.session, tensors, {rows, size}, decisions);
    ran.seconds += (context.env().monotonic_now() - start).count();
    return outputs;
  };
  auto tensors = prepare(inputs);
  if (tensors) {
    ran.outputs = WATTWISE_TRY(run(*tensors, items));
    return ran;
  }
  if (items == 1) return std::move(tensors).error();
  std::vector<TensorMap> outputs;
  for (const InferenceInputs& item : inputs.batch) {
    const auto single = prepare(item);
    auto output = single ? run(*single, 1) : Result<TensorMap>(single.error());
    if (!output) return std::move(tensors).error();
    outputs.push_back(std::move(*output));
  }
  decisions.push_back(
      {"split_batch", managed.path,
       fmt::format("{} items ran one by one: {}", items, tensors.error().message())});
  ran.outputs = WATTWISE_TRY(input::stack(outputs));
  return ran;
}

/// Without `model_caching` a model that was only loaded for one inference goes again.
void drop_uncached(Context& context, const std::string& path, bool was_loaded) {
  if (was_loaded || context.resolved().config.memory_optimization.model_caching) return;
  context.models().erase(path);
  context.logger().log(LogLevel::kInfo, "runtime", "unloaded", field("model", path),
                       field("reason", "memory_optimization.model_caching is false"));
}

Result<InferenceResult> infer(Context& context, const std::string& model_path,
                              const InferenceInputs& inputs) {
  const std::string path = model_file(context, model_path);
  const bool was_loaded = context.models().find(path) != nullptr;
  InferenceResult result;
  const Handle managed = WATTWISE_TRY(loaded_or_load(context, path, result.decisions));
  if (!managed->session) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} was loaded by a custom loader; pass an inference handler", path));
  }
  result.batch_size = std::max<int64_t>(1, static_cast<int64_t>(inputs.batch.size()));
  auto ran = run_session(context, *managed, inputs, result.decisions);
  if (!ran) return std::move(ran).error().with_context("running " + path);
  result.outputs = std::move(ran->outputs);
  for (const std::string& name : measure::outputs_with_nan(result.outputs)) {
    result.decisions.push_back(
        {"warn", name, "the output holds NaN: the inputs may be out of the model's range"});
  }
  result.energy_mj =
      estimate_energy(*managed, {result.batch_size, ran->relative_size, describe_basis(*managed)});
  finish(context, *managed, ran->seconds, result);
  context.logger().log(LogLevel::kDebug, "runtime", "inference", field("model", path),
                       field("seconds", ran->seconds));
  drop_uncached(context, path, was_loaded);
  unload_idle(context, path);
  rest(context);
  return result;
}

Result<InferenceResult> infer_with_handler(Context& context, const std::string& model_path,
                                           const InferenceHandler& handler) {
  const std::string path = model_file(context, model_path);
  InferenceResult result;
  const Handle managed = WATTWISE_TRY(loaded_or_load(context, path, result.decisions));
  const Seconds start = context.env().monotonic_now();
  result.handler_result = WATTWISE_TRY(handler(managed->custom));
  const double seconds = (context.env().monotonic_now() - start).count();
  result.energy_mj =
      managed->session
          ? estimate_energy(*managed,
                            {1, 1, describe_basis(*managed) + ", whatever the handler did"})
          : Figure::absent("no energy sensor, and no estimate for what a custom loader returned");
  finish(context, *managed, seconds, result);
  rest(context);
  return result;
}

bool unload(Context& context, const std::string& model_path) {
  return context.models().erase(model_file(context, model_path));
}

}  // namespace wattwise::deploy
