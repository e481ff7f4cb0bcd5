// SPDX-License-Identifier: Apache-2.0
#pragma once

#ifndef ORT_API_MANUAL_INIT
#define ORT_API_MANUAL_INIT
#endif
#include <onnxruntime_c_api.h>

#include <memory>
#include <string>

#include "core/log.h"
#include "engine/runtime.h"

// Inside engine only: ONNX Runtime's C API with owners that free what it hands out.
namespace wattwise::engine {

/// The API table of the one library that this process has loaded. Valid once load_runtime()
/// succeeded; set once, read by any thread.
const OrtApi& ort_api();

template <auto Release>
struct Releaser {
  template <typename T>
  void operator()(T* object) const {
    (ort_api().*Release)(object);
  }
};

using StatusPtr = std::unique_ptr<OrtStatus, Releaser<&OrtApi::ReleaseStatus>>;
using SessionOptionsPtr =
    std::unique_ptr<OrtSessionOptions, Releaser<&OrtApi::ReleaseSessionOptions>>;
using SessionPtr = std::unique_ptr<OrtSession, Releaser<&OrtApi::ReleaseSession>>;
using ValuePtr = std::unique_ptr<OrtValue, Releaser<&OrtApi::ReleaseValue>>;
using MemoryInfoPtr = std::unique_ptr<OrtMemoryInfo, Releaser<&OrtApi::ReleaseMemoryInfo>>;
using TypeInfoPtr = std::unique_ptr<OrtTypeInfo, Releaser<&OrtApi::ReleaseTypeInfo>>;
using ShapeInfoPtr =
    std::unique_ptr<OrtTensorTypeAndShapeInfo, Releaser<&OrtApi::ReleaseTensorTypeAndShapeInfo>>;

using EnvPtr = std::unique_ptr<OrtEnv, Releaser<&OrtApi::ReleaseEnv>>;

/// The library that this process has loaded. It stays until the process ends.
struct LoadedLibrary {
  std::string version;
  std::string path;
  EnvPtr env;
};

/// The library with a log of its own. Its own type so that sessions can reach the environment.
class OrtRuntime final : public Runtime {
 public:
  OrtRuntime(const LoadedLibrary& library, Logger logger)
      : library_(library), logger_(std::move(logger)) {}
  std::string version() const override { return library_.version; }
  std::string library_path() const override { return library_.path; }
  std::vector<std::string> available_providers() const override;
  OrtEnv* env() const { return library_.env.get(); }
  /// Messages of sessions made with these options go to this runtime's log, which must outlive
  /// them.
  Result<void> receive_log(OrtSessionOptions* options) const;

 private:
  const LoadedLibrary& library_;
  Logger logger_;
};

/// Success, or ONNX Runtime's message as one line with what was being done to `subject`.
Result<void> check(OrtStatus* status, const std::string& what, const std::string& subject);

}  // namespace wattwise::engine
