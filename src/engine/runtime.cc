// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "core/text.h"
#include "engine/message.h"
#include "engine/ort.h"

namespace wattwise::engine {
namespace {

/// The C API only grows: version 22 brought plugin providers and is the oldest that is used here.
constexpr uint32_t kOldestApi = 22;

const OrtApi* g_api = nullptr;  // set once under the mutex of load_runtime()

/// Whatever goes wrong also comes back as an error of the call, so its messages are details here.
void ORT_API_CALL forward_log(void* logger, OrtLoggingLevel, const char* category, const char*,
                              const char*, const char* message) {
  if (logger == nullptr) return;  // the process-wide environment speaks to nobody in particular
  static_cast<const Logger*>(logger)->log(LogLevel::kDebug, "engine", message,
                                          field("category", category));
}

std::string folder_of_this_code() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&forward_log), &info) == 0 || !info.dli_fname) {
    return "";
  }
  return parent_path(info.dli_fname);
}

/// A library that somebody named is the only one that may serve: another would not be the one whose
/// results are asked for.
std::vector<std::string> candidates(const Env& env, const RuntimeOptions& options) {
  constexpr const char* kName = "libonnxruntime.so.1";
  if (!options.library_path.empty()) return {options.library_path};
  const auto variable = env.variable("WATTWISE_ORT_LIBRARY");
  if (variable && !variable->empty()) return {*variable};
  std::vector<std::string> paths;
  const std::string here = folder_of_this_code();
  paths.push_back(join_path(here, kName));
  paths.push_back(join_path(here, std::string("../lib/") + kName));
#ifdef WATTWISE_ORT_LIBRARY_DEFAULT
  paths.emplace_back(WATTWISE_ORT_LIBRARY_DEFAULT);
#endif
  paths.emplace_back(kName);
  return paths;
}

/// The API table of the library at `path`, or why it cannot serve.
Result<const OrtApi*> open_library(const std::string& path, std::string& version) {
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) return Error(ErrorCode::kUnavailable, ::dlerror());
  using GetBase = const OrtApiBase* (*)();
  const auto get_base = reinterpret_cast<GetBase>(::dlsym(handle, "OrtGetApiBase"));
  if (!get_base) return Error(ErrorCode::kUnavailable, path + " is no ONNX Runtime library");
  version = get_base()->GetVersionString();
  if (split(version, '.').size() < 2 || std::stoi(split(version, '.')[1]) < int{kOldestApi}) {
    return Error(ErrorCode::kUnavailable, fmt::format("{} is version {}; 1.{} or later is needed",
                                                      path, version, kOldestApi));
  }
  const uint32_t wanted =
      std::min<uint32_t>(ORT_API_VERSION, static_cast<uint32_t>(std::stoi(split(version, '.')[1])));
  return get_base()->GetApi(wanted);
}

}  // namespace

const OrtApi& ort_api() { return *g_api; }

Result<void> OrtRuntime::receive_log(OrtSessionOptions* options) const {
  auto* logger = const_cast<Logger*>(&logger_);  // the C API hands it back to forward_log as it is
  return check(ort_api().SetUserLoggingFunction(options, forward_log, logger), "set", "logging");
}

std::vector<std::string> OrtRuntime::available_providers() const {
  char** names = nullptr;
  int count = 0;
  if (!check(ort_api().GetAvailableProviders(&names, &count), "list", "providers")) return {};
  std::vector<std::string> out(names, names + count);
  StatusPtr ignored(ort_api().ReleaseAvailableProviders(names, count));
  return out;
}

namespace {

bool is_out_of_memory(std::string_view message) {
  return message.find("Failed to allocate memory") != std::string_view::npos ||
         message.find("bad_alloc") != std::string_view::npos;
}

/// Some versions report an operator that they do not know as a damaged model.
bool lacks_operator(std::string_view message) {
  return message.find("is not a registered function/op") != std::string_view::npos ||
         message.find("No Op registered for") != std::string_view::npos ||
         message.find("No opset import for domain") != std::string_view::npos;
}

}  // namespace

Result<void> check(OrtStatus* raw, const std::string& what, const std::string& subject) {
  if (!raw) return {};
  const StatusPtr status(raw);
  std::string message = readable_message(ort_api().GetErrorMessage(status.get()));
  if (is_out_of_memory(message)) {
    return Error(ErrorCode::kExhausted,
                 fmt::format("there is no memory to {} {}: {}", what, subject, message));
  }
  ErrorCode code = ErrorCode::kInternal;
  switch (ort_api().GetErrorCode(status.get())) {
    case ORT_NO_SUCHFILE:
      code = ErrorCode::kNotFound;
      break;
    case ORT_INVALID_ARGUMENT:
      code = ErrorCode::kInvalidArgument;
      break;
    case ORT_INVALID_PROTOBUF:
    case ORT_INVALID_GRAPH:
    case ORT_FAIL:
      code = ErrorCode::kCorrupt;
      break;
    case ORT_NOT_IMPLEMENTED:
      code = ErrorCode::kUnsupported;
      break;
    default:
      break;
  }
  if (code == ErrorCode::kUnsupported || lacks_operator(message)) {
    code = ErrorCode::kUnsupported;
    message +=
        "; export the model with operators that this ONNX Runtime has, or name a library "
        "that has them (WATTWISE_ORT_LIBRARY)";
  }
  return Error(code, fmt::format("ONNX Runtime cannot {} {}: {}", what, subject, message));
}

namespace {

Result<std::unique_ptr<const LoadedLibrary>> load_library(const Env& env,
                                                          const RuntimeOptions& options) {
  std::vector<std::string> failures;
  for (const std::string& path : candidates(env, options)) {
    std::string version;
    auto api = open_library(path, version);
    if (!api || !*api) {
      failures.push_back(api ? path + " lacks the API" : api.error().message());
      continue;
    }
    g_api = *api;
    OrtEnv* ort_env = nullptr;
    WATTWISE_TRY(check(g_api->CreateEnvWithCustomLogger(
                           forward_log, nullptr, ORT_LOGGING_LEVEL_WARNING, "wattwise", &ort_env),
                       "start from", path));
    const StatusPtr ignored(g_api->DisableTelemetryEvents(ort_env));
    return std::make_unique<const LoadedLibrary>(LoadedLibrary{version, path, EnvPtr(ort_env)});
  }
  if (failures.size() == 1) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("the ONNX Runtime library that was named cannot be used: {}; name "
                             "another, or none for the one that came with WattWise",
                             failures.front()));
  }
  return Error(ErrorCode::kUnavailable,
               fmt::format("ONNX Runtime was not found; set WATTWISE_ORT_LIBRARY to its library. "
                           "Tried: {}",
                           join(failures, "; ")));
}

}  // namespace

namespace {

/// The one library of the process, null before the first use.
struct TheLibrary {
  std::mutex mutex;
  std::unique_ptr<const LoadedLibrary> loaded;
};

TheLibrary& the_library() {
  static TheLibrary library;
  return library;
}

}  // namespace

Result<std::shared_ptr<Runtime>> load_runtime(Env& env, const RuntimeOptions& options) {
  TheLibrary& library = the_library();
  const std::lock_guard lock(library.mutex);
  if (!library.loaded) library.loaded = WATTWISE_TRY(load_library(env, options));
  std::shared_ptr<Runtime> runtime = std::make_shared<OrtRuntime>(*library.loaded, options.logger);
  return runtime;
}

Result<std::string> identify_runtime(Env& env, const RuntimeOptions& options) {
  std::vector<std::string> paths = candidates(env, options);
  {
    TheLibrary& library = the_library();
    const std::lock_guard lock(library.mutex);
    if (library.loaded) paths = {library.loaded->path};
  }
  for (const std::string& path : paths) {
    const auto info = env.stat(path);
    if (info) return fmt::format("{}, {} bytes of {}", path, info->size_bytes, info->modified_ns);
  }
  const auto runtime = WATTWISE_TRY(load_runtime(env, options));  // found by its bare name
  return runtime->library_path() + " " + runtime->version();
}

}  // namespace wattwise::engine
