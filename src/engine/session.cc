// SPDX-License-Identifier: Apache-2.0
#include "engine/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/text.h"
#include "engine/append_provider.h"
#include "engine/hand_over.h"
#include "engine/ort.h"
#include "engine/values.h"
#include "model/graph_edit.h"
#include "model/save.h"
#include "model/walk.h"

namespace wattwise::engine {
namespace {

/// What a session needs to stay alive besides itself.
struct Holdings {
  std::shared_ptr<Runtime> runtime;  // shared: the environment must outlive every session
  HandedWeights weights;
};

Result<PortInfo> read_port(std::string name, TypeInfoPtr type) {
  PortInfo port;
  port.name = std::move(name);
  const OrtTensorTypeAndShapeInfo* info = nullptr;
  WATTWISE_TRY(check(ort_api().CastTypeInfoToTensorInfo(type.get(), &info), "look at", port.name));
  if (!info) return port;
  ONNXTensorElementDataType element{};
  size_t rank = 0;
  WATTWISE_TRY(check(ort_api().GetTensorElementType(info, &element), "look at", port.name));
  WATTWISE_TRY(check(ort_api().GetDimensionsCount(info, &rank), "look at", port.name));
  port.type = static_cast<DataType>(element);
  port.shape.resize(rank);
  std::vector<const char*> names(rank);
  WATTWISE_TRY(check(ort_api().GetDimensions(info, port.shape.data(), rank), "look at", port.name));
  WATTWISE_TRY(
      check(ort_api().GetSymbolicDimensions(info, names.data(), rank), "look at", port.name));
  for (size_t i = 0; i < rank; ++i) {
    port.dim_names.emplace_back(port.shape[i] < 0 && names[i] ? names[i] : "");
  }
  return port;
}

using CountOf = OrtStatus*(ORT_API_CALL*)(const OrtSession*, size_t*)NO_EXCEPTION;
using NameOf = OrtStatus*(ORT_API_CALL*)(const OrtSession*, size_t, OrtAllocator*,
                                         char**)NO_EXCEPTION;
using TypeOf = OrtStatus*(ORT_API_CALL*)(const OrtSession*, size_t, OrtTypeInfo**)NO_EXCEPTION;

struct PortReader {
  CountOf count;
  NameOf name;
  TypeOf type;
};

Result<std::vector<PortInfo>> read_ports(const OrtSession* session, const PortReader& reader) {
  std::vector<PortInfo> ports;
  size_t count = 0;
  OrtAllocator* allocator = nullptr;
  WATTWISE_TRY(check(reader.count(session, &count), "count the ports of", "the session"));
  WATTWISE_TRY(check(ort_api().GetAllocatorWithDefaultOptions(&allocator), "use", "memory"));
  for (size_t i = 0; i < count; ++i) {
    char* raw_name = nullptr;
    WATTWISE_TRY(check(reader.name(session, i, allocator, &raw_name), "name", "a port"));
    std::string name = raw_name;
    StatusPtr freed(ort_api().AllocatorFree(allocator, raw_name));
    OrtTypeInfo* raw_type = nullptr;
    WATTWISE_TRY(check(reader.type(session, i, &raw_type), "look at", name));
    ports.push_back(WATTWISE_TRY(read_port(std::move(name), TypeInfoPtr(raw_type))));
  }
  return ports;
}

class OrtModelSession final : public Session {
 public:
  OrtModelSession(Holdings holdings, SessionPtr session, std::string source)
      : holdings_(std::move(holdings)), session_(std::move(session)), source_(std::move(source)) {}

  Result<void> describe(std::string provider, std::vector<Decision> decisions) {
    provider_ = std::move(provider);
    decisions_ = std::move(decisions);
    const OrtApi& api = ort_api();
    inputs_ =
        WATTWISE_TRY(read_ports(session_.get(), {api.SessionGetInputCount, api.SessionGetInputName,
                                                 api.SessionGetInputTypeInfo}));
    outputs_ = WATTWISE_TRY(read_ports(
        session_.get(),
        {api.SessionGetOutputCount, api.SessionGetOutputName, api.SessionGetOutputTypeInfo}));
    return {};
  }

  const std::vector<PortInfo>& inputs() const override { return inputs_; }
  const std::vector<PortInfo>& outputs() const override { return outputs_; }
  const std::string& provider() const override { return provider_; }
  const std::vector<Decision>& decisions() const override { return decisions_; }

  Result<TensorMap> run(const TensorMap& inputs) const override {
    WATTWISE_TRY(check_names(inputs));
    std::vector<ValuePtr> values;
    std::vector<const char*> input_names;
    std::vector<const OrtValue*> raw_inputs;
    for (const PortInfo& port : inputs_) {
      const Tensor& tensor = inputs.at(port.name);
      WATTWISE_TRY(check_fit(port, tensor));
      values.push_back(WATTWISE_TRY(wrap_tensor(tensor, port.name)));
      input_names.push_back(port.name.c_str());
      raw_inputs.push_back(values.back().get());
    }
    std::vector<const char*> output_names;
    for (const PortInfo& port : outputs_) output_names.push_back(port.name.c_str());
    std::vector<OrtValue*> raw_outputs(outputs_.size(), nullptr);
    auto ran = check(ort_api().Run(session_.get(), nullptr, input_names.data(), raw_inputs.data(),
                                   raw_inputs.size(), output_names.data(), output_names.size(),
                                   raw_outputs.data()),
                     "run", source_);
    std::vector<ValuePtr> owned;
    for (OrtValue* value : raw_outputs) owned.emplace_back(value);
    if (!ran) return explain_failure(ran.error(), inputs);
    TensorMap outputs;
    for (size_t i = 0; i < owned.size(); ++i) {
      const std::string& name = outputs_[i].name;
      outputs[name] = WATTWISE_TRY(unwrap_value(std::move(owned[i]), name));
    }
    return outputs;
  }

  Result<std::string> end_profiling() override {
    OrtAllocator* allocator = nullptr;
    char* path = nullptr;
    WATTWISE_TRY(check(ort_api().GetAllocatorWithDefaultOptions(&allocator), "use", "memory"));
    WATTWISE_TRY(check(ort_api().SessionEndProfiling(session_.get(), allocator, &path),
                       "end profiling", source_));
    std::string result = path;
    StatusPtr freed(ort_api().AllocatorFree(allocator, path));
    return result;
  }

 private:
  /// Every input is there, and nothing else.
  Result<void> check_names(const TensorMap& inputs) const {
    std::vector<std::string> expected;
    bool complete = true;
    for (const PortInfo& port : inputs_) {
      expected.push_back(describe_port(port));
      complete = complete && inputs.contains(port.name);
    }
    if (complete && inputs.size() == inputs_.size()) return {};
    std::vector<std::string> given;
    for (const auto& [name, tensor] : inputs) given.push_back(name);
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("{} takes {}; it was given {}", source_, fmt::join(expected, ", "),
                    given.empty() ? "nothing" : fmt::format("{}", fmt::join(given, ", "))));
  }

  /// A model that loaded fails to run because of what it was given, unless memory ran out.
  static Error explain_failure(const Error& error, const TensorMap& inputs) {
    if (error.code() == ErrorCode::kExhausted || error.code() == ErrorCode::kUnsupported) {
      return error;
    }
    std::vector<std::string> given;
    for (const auto& [name, tensor] : inputs) given.push_back(describe_tensor(name, tensor));
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{}; it was given {}: check their shapes and values", error.message(),
                             given.empty() ? "no inputs" : join(given, ", ")));
  }

  Holdings holdings_;  // before the session, so that it goes after it
  SessionPtr session_;
  std::string source_;
  std::string provider_;
  std::vector<Decision> decisions_;
  std::vector<PortInfo> inputs_;
  std::vector<PortInfo> outputs_;
};

Result<void> set_entry(OrtSessionOptions* options, const std::string& key,
                       const std::string& value) {
  return check(ort_api().AddSessionConfigEntry(options, key.c_str(), value.c_str()),
               "take the setting", key);
}

Result<void> set_paths(OrtSessionOptions* raw, const SessionOptions& options) {
  if (options.optimized_model_path) {
    WATTWISE_TRY(
        check(ort_api().SetOptimizedModelFilePath(raw, options.optimized_model_path->c_str()),
              "write", *options.optimized_model_path));
  }
  if (options.profile_prefix) {
    WATTWISE_TRY(check(ort_api().EnableProfiling(raw, options.profile_prefix->c_str()), "write",
                       *options.profile_prefix));
  }
  return {};
}

Result<SessionOptionsPtr> make_options(const OrtRuntime& runtime, const SessionOptions& options) {
  const OrtApi& api = ort_api();
  OrtSessionOptions* raw = nullptr;
  WATTWISE_TRY(check(api.CreateSessionOptions(&raw), "make", "session options"));
  SessionOptionsPtr owned(raw);
  constexpr std::array kLevels = {ORT_DISABLE_ALL, ORT_ENABLE_BASIC, ORT_ENABLE_EXTENDED,
                                  ORT_ENABLE_ALL};
  WATTWISE_TRY(check(api.SetIntraOpNumThreads(raw, options.threads), "set", "threads"));
  WATTWISE_TRY(check(api.SetInterOpNumThreads(raw, 1), "set", "threads"));
  WATTWISE_TRY(check(
      api.SetSessionGraphOptimizationLevel(raw, kLevels[static_cast<size_t>(options.optimization)]),
      "set", "the optimization level"));
  if (!options.memory_pattern) WATTWISE_TRY(check(api.DisableMemPattern(raw), "set", "memory"));
  if (!options.arena) WATTWISE_TRY(check(api.DisableCpuMemArena(raw), "set", "memory"));
  WATTWISE_TRY(set_entry(raw, "session.intra_op.allow_spinning", options.spin ? "1" : "0"));
  WATTWISE_TRY(set_entry(raw, "session.inter_op.allow_spinning", "0"));
  if (!options.prepack) WATTWISE_TRY(set_entry(raw, "session.disable_prepacking", "1"));
  for (const auto& [key, value] : options.config_entries) WATTWISE_TRY(set_entry(raw, key, value));
  for (const auto& [name, size] : options.free_dimensions) {
    WATTWISE_TRY(check(api.AddFreeDimensionOverrideByName(raw, name.c_str(), size), "fix", name));
  }
  WATTWISE_TRY(set_paths(raw, options));
  WATTWISE_TRY(runtime.receive_log(raw));
  return owned;
}

Result<std::unique_ptr<Session>> finish(std::unique_ptr<OrtModelSession> session,
                                        std::string provider, std::vector<Decision> decisions) {
  WATTWISE_TRY(session->describe(std::move(provider), std::move(decisions)));
  return std::unique_ptr<Session>(std::move(session));
}

}  // namespace

Result<std::vector<TensorMap>> Session::run_all(const std::vector<TensorMap>& inputs) const {
  std::vector<TensorMap> outputs;
  for (const TensorMap& sample : inputs) outputs.push_back(WATTWISE_TRY(run(sample)));
  return outputs;
}

Result<std::unique_ptr<Session>> open_session(const std::shared_ptr<Runtime>& runtime, Env&,
                                              const std::string& path,
                                              const SessionOptions& options) {
  const auto* owner = static_cast<const OrtRuntime*>(runtime.get());
  SessionOptionsPtr raw_options = WATTWISE_TRY(make_options(*owner, options));
  std::vector<Decision> decisions;
  std::string provider =
      WATTWISE_TRY(append_providers(*runtime, raw_options.get(), options.providers, decisions));
  OrtSession* raw = nullptr;
  WATTWISE_TRY(check(ort_api().CreateSession(owner->env(), path.c_str(), raw_options.get(), &raw),
                     "load", path));
  auto session = std::make_unique<OrtModelSession>(Holdings{runtime, {}}, SessionPtr(raw), path);
  return finish(std::move(session), std::move(provider), std::move(decisions));
}

namespace {

struct Opening {
  const std::string& source_name;
  const SessionOptions& options;
};

/// Large constants that lie in the files are read from there.
Result<std::unique_ptr<Session>> open_in_memory(const std::shared_ptr<Runtime>& runtime,
                                                const model::Model& model,
                                                const std::vector<model::SourceFile>& files,
                                                const Opening& opening) {
  const auto& [source_name, options] = opening;
  const auto* owner = static_cast<const OrtRuntime*>(runtime.get());
  SessionOptionsPtr raw_options = WATTWISE_TRY(make_options(*owner, options));
  std::vector<Decision> decisions;
  std::string provider =
      WATTWISE_TRY(append_providers(*runtime, raw_options.get(), options.providers, decisions));
  Holdings holdings{runtime, {}};
  const std::string bytes =
      has_large_weights(model)
          ? WATTWISE_TRY(hand_over(model, files, raw_options.get(), holdings.weights))
          : WATTWISE_TRY(model::serialize(model));
  OrtSession* raw = nullptr;
  WATTWISE_TRY(check(ort_api().CreateSessionFromArray(owner->env(), bytes.data(), bytes.size(),
                                                      raw_options.get(), &raw),
                     "load", source_name));
  auto session =
      std::make_unique<OrtModelSession>(std::move(holdings), SessionPtr(raw), source_name);
  return finish(std::move(session), std::move(provider), std::move(decisions));
}

}  // namespace

Result<std::unique_ptr<Session>> open_session(const std::shared_ptr<Runtime>& runtime, Env& env,
                                              const model::Model& model,
                                              const std::string& source_name,
                                              const SessionOptions& options) {
  if (options.map_weights && has_large_weights(model)) {
    // Where the runtime does not take the files, it may take what is in memory.
    const auto files = reachable_files(env, model);
    auto mapped = open_in_memory(runtime, model, files, {source_name, options});
    if (mapped || files.empty()) return mapped;
  }
  return open_in_memory(runtime, model, {}, {source_name, options});
}

Result<std::unique_ptr<Session>> open_as_read(const std::shared_ptr<Runtime>& runtime, Env& env,
                                              const model::Model& model, const std::string& path,
                                              const SessionOptions& options) {
  const auto files = reachable_files(env, model);
  if (has_large_weights(model) && !files.empty()) {
    if (auto mapped = open_in_memory(runtime, model, files, {path, options})) return mapped;
  }
  return open_session(runtime, env, path, options);
}

}  // namespace wattwise::engine
